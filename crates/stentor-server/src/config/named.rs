//! The keys in whose names the operator chooses a part: roles and operators.

use super::key::Reload::Live;
use super::key::{Key, Kind, row, text};
use super::rules::{bcrypt_hash, host, privilege, user_name};

/// The keys whose names have a part that the operator chooses.
pub static NAMED: &[Key] = &[
    row(
        "roles.NAME.privileges",
        Kind::List {
            allowed: "a list of \"accounts\", \"invite\", \"kill\", \"ban\", \"channels\", \"addresses\", \
                      \"announce\", \"wallops\", \"audit\", \"control\"",
            check: privilege,
            optional: true,
        },
        "[]",
        Live,
        "What the holders of a role may do once they have said OPER. A role is granted with `stentor account grant NAME \
         ROLE`. The role `admin` is built in and has every privilege: `kill` (KILL), `ban` (UBAN, KLINE, DLINE), \
         `addresses` (see real addresses in WHOIS), `announce` (speak to everybody), `wallops` (WALLOPS), `audit` (read \
         the audit log), `control` (REHASH), `channels` (SAMODE, and ChanServ in any channel), `accounts` (make, \
         suspend and remove accounts and reset passwords with NickServ), `invite` (make invitations with NickServ).",
    ),
    row(
        "operators.NAME.password",
        text("a bcrypt hash, as `htpasswd -nB NAME` prints it", bcrypt_hash),
        r#""""#,
        Live,
        "The hash of the password with which OPER NAME makes a client an operator, whether or not it has an account. \
         Grants to accounts are better: they can be taken back at once, on all nodes.",
    ),
    row(
        "operators.NAME.role",
        text("the name of a role", user_name),
        r#""""#,
        Live,
        "The role that such an operator has: one of `[roles.NAME]`, or `admin`.",
    ),
    row(
        "operators.NAME.hosts",
        Kind::List {
            allowed: "a list of masks such as \"*!*@*.example.cloak\" and of IP addresses and ranges",
            check: host,
            optional: true,
        },
        "[]",
        Live,
        "Where such an operator may come from. Empty: from anywhere.",
    ),
];
