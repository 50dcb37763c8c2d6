//! The numbered replies by their standard names: all of them, whether or not this server sends them, so that whoever
//! sends one more finds it here, and that a code from elsewhere can be named.

use std::fmt;

/// A numbered reply, 001 to 999. Each constant's line gives the parameters, the client's nick first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Numeric(u16);

impl Numeric {
    /// Reads three digits, as in a line's command; `000` is none.
    #[must_use]
    pub fn parse(command: &str) -> Option<Self> {
        let is_numeric = command.len() == 3 && command.bytes().all(|byte| byte.is_ascii_digit());
        let code = command.parse().ok().filter(|code| *code != 0)?;
        is_numeric.then_some(Self(code))
    }

    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }

    /// The standard name, where it is one of the constants here.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let index = NAMES.binary_search_by_key(&self, |(numeric, _)| *numeric).ok()?;
        NAMES.get(index).map(|(_, name)| *name)
    }

    /// Whether it tells of a failure: 400 to 599, and those among the later ones whose name says so.
    #[must_use]
    pub fn is_error(self) -> bool {
        matches!(self.0, 400..=599) || self.name().is_some_and(|name| name.starts_with("ERR_"))
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{self} {name}"),
            None => write!(f, "{self}"),
        }
    }
}

/// Declares the constants and, from the same rows, the table of their names. Rows ascend.
macro_rules! numerics {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl Numeric {
            $($(#[$doc])* pub const $name: Self = Self($code);)*
        }

        const NAMES: &[(Numeric, &str)] = &[$((Numeric::$name, stringify!($name)),)*];
    };
}

numerics! {
    /// `<client> :<greeting with network and nick!user@host>`
    RPL_WELCOME = 1;
    /// `<client> :<server's name and version>`
    RPL_YOURHOST = 2;
    /// `<client> :<when the server was started>`
    RPL_CREATED = 3;
    /// `<client> <server> <version> <user modes> <channel modes> [<channel modes with a parameter>]`
    RPL_MYINFO = 4;
    /// `<client> <1 to 13 tokens> :are supported by this server`
    RPL_ISUPPORT = 5;
    /// `<client> <+ and letters> :Server notice mask`
    RPL_SNOMASKIS = 8;
    /// `<client> <letter> :<text>`.
    RPL_ENDOFSTATS = 219;
    /// `<client> <user modes>`
    RPL_UMODEIS = 221;
    /// `<client> :<text>`.
    RPL_STATSUPTIME = 242;
    /// `<client> :<users, invisible users and servers>`
    RPL_LUSERCLIENT = 251;
    /// `<client> <count> :operator(s) online`
    RPL_LUSEROP = 252;
    /// `<client> <count> :unknown connection(s)`
    RPL_LUSERUNKNOWN = 253;
    /// `<client> <count> :channels formed`
    RPL_LUSERCHANNELS = 254;
    /// `<client> :<users and servers of this server>`
    RPL_LUSERME = 255;
    /// `<client> [<server>] :Administrative info`
    RPL_ADMINME = 256;
    /// `<client> :<where the server is>`
    RPL_ADMINLOC1 = 257;
    /// `<client> :<who runs it>`
    RPL_ADMINLOC2 = 258;
    /// `<client> :<how to reach them>`
    RPL_ADMINEMAIL = 259;
    /// `<client> <command> :<please wait>`
    RPL_TRYAGAIN = 263;
    /// `<client> [<users> <most users>] :<the same in words>`
    RPL_LOCALUSERS = 265;
    /// `<client> [<users> <most users>] :<the same in words>`
    RPL_GLOBALUSERS = 266;
    /// `<client> <nick> :has client certificate fingerprint <fingerprint>`
    RPL_WHOISCERTFP = 276;
    /// `<client> <nick> …`
    RPL_ACCEPTLIST = 281;
    /// `<client> :End of /ACCEPT list`
    RPL_ENDOFACCEPT = 282;
    /// `<client> <nick> :<away message>`
    RPL_AWAY = 301;
    /// `<client> :[<nick>[*]=<+|-><host> …]`
    RPL_USERHOST = 302;
    /// `<client> :[<nick> …]`
    RPL_ISON = 303;
    /// `<client> :You are no longer marked as being away`
    RPL_UNAWAY = 305;
    /// `<client> :You have been marked as being away`
    RPL_NOWAWAY = 306;
    /// `<client> <nick> :has identified for this nick`
    RPL_WHOISREGNICK = 307;
    /// `<client> <nick> <user> <host> * :<real name>`
    RPL_WHOISUSER = 311;
    /// `<client> <nick> <server> :<server's description>`
    RPL_WHOISSERVER = 312;
    /// `<client> <nick> :is an IRC operator`
    RPL_WHOISOPERATOR = 313;
    /// `<client> <nick> <user> <host> * :<real name>`
    RPL_WHOWASUSER = 314;
    /// `<client> <mask> :End of WHO list`
    RPL_ENDOFWHO = 315;
    /// `<client> <nick> <seconds idle> <signed on, Unix seconds> :seconds idle, signon time`
    RPL_WHOISIDLE = 317;
    /// `<client> <nick> :End of /WHOIS list`
    RPL_ENDOFWHOIS = 318;
    /// `<client> <nick> :[<prefix>]<channel> …`
    RPL_WHOISCHANNELS = 319;
    /// `<client> <nick> :<anything else>`
    RPL_WHOISSPECIAL = 320;
    /// `<client> Channel :Users  Name`
    RPL_LISTSTART = 321;
    /// `<client> <channel> <users> :<topic>`
    RPL_LIST = 322;
    /// `<client> :End of /LIST`
    RPL_LISTEND = 323;
    /// `<client> <channel> <modes> <parameters> …`
    RPL_CHANNELMODEIS = 324;
    /// `<client> <channel> <created, Unix seconds>`
    RPL_CREATIONTIME = 329;
    /// `<client> <nick> <account> :is logged in as`
    RPL_WHOISACCOUNT = 330;
    /// `<client> <channel> :No topic is set`
    RPL_NOTOPIC = 331;
    /// `<client> <channel> :<topic>`
    RPL_TOPIC = 332;
    /// `<client> <channel> <who set it> <when, Unix seconds>`
    RPL_TOPICWHOTIME = 333;
    /// `<client> <nick> :is a bot`
    RPL_WHOISBOT = 335;
    /// `<client> <channel>`
    RPL_INVITELIST = 336;
    /// `<client> :End of /INVITE list`
    RPL_ENDOFINVITELIST = 337;
    /// `<client> <nick> [<user@host>] [<address>] :is actually using host`
    RPL_WHOISACTUALLY = 338;
    /// `<client> <nick> <channel>`
    RPL_INVITING = 341;
    /// `<client> <channel> <mask> [<who set it> <when, Unix seconds>]`
    RPL_INVEXLIST = 346;
    /// `<client> <channel> :End of channel invite exception list`
    RPL_ENDOFINVEXLIST = 347;
    /// `<client> <channel> <mask> [<who set it> <when, Unix seconds>]`
    RPL_EXCEPTLIST = 348;
    /// `<client> <channel> :End of channel exception list`
    RPL_ENDOFEXCEPTLIST = 349;
    /// `<client> <version> <server> :<comments>`
    RPL_VERSION = 351;
    /// `<client> <channel> <user> <host> <server> <nick> <flags> :<hops> <real name>`
    RPL_WHOREPLY = 352;
    /// `<client> <= | @ | *> <channel> :[<prefix>]<nick> …`
    RPL_NAMREPLY = 353;
    /// `<client> <the fields that WHO asked for> …`
    RPL_WHOSPCRPL = 354;
    /// `<client> <server> <uplink> :<hops> <server's description>`
    RPL_LINKS = 364;
    /// `<client> <mask> :End of /LINKS list`
    RPL_ENDOFLINKS = 365;
    /// `<client> <channel> :End of /NAMES list`
    RPL_ENDOFNAMES = 366;
    /// `<client> <channel> <mask> [<who set it> <when, Unix seconds>]`
    RPL_BANLIST = 367;
    /// `<client> <channel> :End of channel ban list`
    RPL_ENDOFBANLIST = 368;
    /// `<client> <nick> :End of WHOWAS`
    RPL_ENDOFWHOWAS = 369;
    /// `<client> :<text>`
    RPL_INFO = 371;
    /// `<client> :<a line of the message of the day>`
    RPL_MOTD = 372;
    /// `<client> :End of INFO list`
    RPL_ENDOFINFO = 374;
    /// `<client> :- <server> Message of the day -`
    RPL_MOTDSTART = 375;
    /// `<client> :End of /MOTD command`
    RPL_ENDOFMOTD = 376;
    /// `<client> <nick> :is connecting from <user@host> <address>`
    RPL_WHOISHOST = 378;
    /// `<client> <nick> :is using modes <modes>`
    RPL_WHOISMODES = 379;
    /// `<client> :You are now an IRC operator`
    RPL_YOUREOPER = 381;
    /// `<client> <configuration file> :Rehashing`
    RPL_REHASHING = 382;
    /// `<client> <server> [<Unix seconds> [<offset>]] :<the time in words>`
    RPL_TIME = 391;
    /// `<client> <host> :is now your visible host`
    RPL_VISIBLEHOST = 396;
    /// `<client> <command> … :<what went wrong>`
    ERR_UNKNOWNERROR = 400;
    /// `<client> <nick> :No such nick/channel`
    ERR_NOSUCHNICK = 401;
    /// `<client> <server> :No such server`
    ERR_NOSUCHSERVER = 402;
    /// `<client> <channel> :No such channel`
    ERR_NOSUCHCHANNEL = 403;
    /// `<client> <channel> :Cannot send to channel`
    ERR_CANNOTSENDTOCHAN = 404;
    /// `<client> <channel> :You have joined too many channels`
    ERR_TOOMANYCHANNELS = 405;
    /// `<client> <nick> :There was no such nickname`
    ERR_WASNOSUCHNICK = 406;
    /// `<client> <target> :<too many recipients>`
    ERR_TOOMANYTARGETS = 407;
    /// `<client> :No origin specified`
    ERR_NOORIGIN = 409;
    /// `<client> <subcommand> :Invalid CAP command`
    ERR_INVALIDCAPCMD = 410;
    /// `<client> :No recipient given (<command>)`
    ERR_NORECIPIENT = 411;
    /// `<client> :No text to send`
    ERR_NOTEXTTOSEND = 412;
    /// `<client> <mask> :No toplevel domain specified`
    ERR_NOTOPLEVEL = 413;
    /// `<client> <command> [<mask>] :<too many matches>`
    ERR_TOOMANYMATCHES = 416;
    /// `<client> :Input line was too long`
    ERR_INPUTTOOLONG = 417;
    /// `<client> <command> :Unknown command`
    ERR_UNKNOWNCOMMAND = 421;
    /// `<client> :MOTD File is missing`
    ERR_NOMOTD = 422;
    /// `<client> <server> :No administrative info available`
    ERR_NOADMININFO = 423;
    /// `<client> :No nickname given`
    ERR_NONICKNAMEGIVEN = 431;
    /// `<client> <nick> :Erroneous nickname`
    ERR_ERRONEUSNICKNAME = 432;
    /// `<client> <nick> :Nickname is already in use`
    ERR_NICKNAMEINUSE = 433;
    /// `<client> <nick> <channel> :Cannot change nickname while banned on channel`
    ERR_BANONCHAN = 435;
    /// `<client> <nick> :<nickname collision>`
    ERR_NICKCOLLISION = 436;
    /// `<client> <nick or channel> :Nick/channel is temporarily unavailable`
    ERR_UNAVAILRESOURCE = 437;
    /// `<client> <nick> <channel> :They aren't on that channel`
    ERR_USERNOTINCHANNEL = 441;
    /// `<client> <channel> :You're not on that channel`
    ERR_NOTONCHANNEL = 442;
    /// `<client> <nick> <channel> :is already on channel`
    ERR_USERONCHANNEL = 443;
    /// `<client> :You have not registered`
    ERR_NOTREGISTERED = 451;
    /// `<client> :Accept list is full`
    ERR_ACCEPTFULL = 456;
    /// `<client> <nick> :is already on your accept list`
    ERR_ACCEPTEXIST = 457;
    /// `<client> <nick> :is not on your accept list`
    ERR_ACCEPTNOT = 458;
    /// `<client> <command> :Not enough parameters`
    ERR_NEEDMOREPARAMS = 461;
    /// `<client> :You may not reregister`
    ERR_ALREADYREGISTERED = 462;
    /// `<client> :Password incorrect`
    ERR_PASSWDMISMATCH = 464;
    /// `<client> :You are banned from this server`
    ERR_YOUREBANNEDCREEP = 465;
    /// `<client> <channel> <other channel> :Forwarding to another channel`
    ERR_LINKCHANNEL = 470;
    /// `<client> <channel> :Cannot join channel (+l)`
    ERR_CHANNELISFULL = 471;
    /// `<client> <letter> :is unknown mode char to me`
    ERR_UNKNOWNMODE = 472;
    /// `<client> <channel> :Cannot join channel (+i)`
    ERR_INVITEONLYCHAN = 473;
    /// `<client> <channel> :Cannot join channel (+b)`
    ERR_BANNEDFROMCHAN = 474;
    /// `<client> <channel> :Cannot join channel (+k)`
    ERR_BADCHANNELKEY = 475;
    /// `<client> <channel> :Bad Channel Mask`
    ERR_BADCHANMASK = 476;
    /// `<client> <channel> :You need to log in to join that channel`
    ERR_NEEDREGGEDNICK = 477;
    /// `<client> <channel> <letter> :Channel list is full`
    ERR_BANLISTFULL = 478;
    /// `<client> <channel> :Illegal channel name`
    ERR_BADCHANNAME = 479;
    /// `<client> <channel> :Cannot knock on the channel`
    ERR_CANNOTKNOCK = 480;
    /// `<client> :Permission Denied - You're not an IRC operator`
    ERR_NOPRIVILEGES = 481;
    /// `<client> <channel> :You're not channel operator`
    ERR_CHANOPRIVSNEEDED = 482;
    /// `<client> :You can't kill a server!`
    ERR_CANTKILLSERVER = 483;
    /// `<client> :Your connection is restricted!`
    ERR_RESTRICTED = 484;
    /// `<client> <channel> :You're not the original channel operator`
    ERR_UNIQOPPRIVSNEEDED = 485;
    /// `<client> :No O-lines for your host`
    ERR_NOOPERHOST = 491;
    /// `<client> :Unknown MODE flag`
    ERR_UMODEUNKNOWNFLAG = 501;
    /// `<client> :Cant change mode for other users`
    ERR_USERSDONTMATCH = 502;
    /// `<client> <subject> :No help available on this topic`
    ERR_HELPNOTFOUND = 524;
    /// `<client> <channel> :Key is not well-formed`
    ERR_INVALIDKEY = 525;
    /// `<client> <nick> :You cannot send this to the user`
    ERR_CANTSENDTOUSER = 531;
    /// `<client> <nick> :is using a secure connection`
    RPL_WHOISSECURE = 671;
    /// `<client> <target> <letter> <parameter> :<what is wrong with it>`
    ERR_INVALIDMODEPARAM = 696;
    /// `<client> <subject> :<first line of help>`
    RPL_HELPSTART = 704;
    /// `<client> <subject> :<line of help>`
    RPL_HELPTXT = 705;
    /// `<client> <subject> :<last line of help>`
    RPL_ENDOFHELP = 706;
    /// `<channel> <channel> <nick!user@host> :has asked for an invitation`
    RPL_KNOCK = 710;
    /// `<client> <channel> :Your knock has been delivered`
    RPL_KNOCKDLVR = 711;
    /// `<client> <channel> :Too many knocks`
    ERR_TOOMANYKNOCK = 712;
    /// `<client> <channel> :The channel is open`
    ERR_CHANOPEN = 713;
    /// `<client> <channel> :You are already on that channel`
    ERR_KNOCKONCHAN = 714;
    /// `<client> <privilege> :Insufficient oper privileges.`
    ERR_NOPRIVS = 723;
    /// `<client> :<nick!user@host>[,…]`
    RPL_MONONLINE = 730;
    /// `<client> :<nick>[,…]`
    RPL_MONOFFLINE = 731;
    /// `<client> :<nick>[,…]`
    RPL_MONLIST = 732;
    /// `<client> :End of MONITOR list`
    RPL_ENDOFMONLIST = 733;
    /// `<client> <limit> <nick>[,…] :Monitor list is full.`
    ERR_MONLISTFULL = 734;
    /// `<client> <nick> <key> <visibility> :<value>`.
    RPL_WHOISKEYVALUE = 760;
    /// `<client> <target> <key> <visibility> :<value>`.
    RPL_KEYVALUE = 761;
    /// `<client> <target> <key> :<text>`.
    RPL_KEYNOTSET = 766;
    /// `<client> <key> [<key> …]`.
    RPL_METADATASUBOK = 770;
    /// `<client> <key> [<key> …]`.
    RPL_METADATAUNSUBOK = 771;
    /// `<client> <key> [<key> …]`.
    RPL_METADATASUBS = 772;
    /// `<client> <target> <seconds> :<text>`.
    ERR_METADATASYNCLATER = 774;
    /// `<client> <seconds> <target> <subcommand> [<param> …]`.
    ERR_METADATARATELIMIT = 775;
    /// `<client> <nick!user@host> <account> :You are now logged in as <account>`
    RPL_LOGGEDIN = 900;
    /// `<client> <nick!user@host> :You are now logged out`
    RPL_LOGGEDOUT = 901;
    /// `<client> :You must use a nick assigned to you`
    ERR_NICKLOCKED = 902;
    /// `<client> :SASL authentication successful`
    RPL_SASLSUCCESS = 903;
    /// `<client> :SASL authentication failed`
    ERR_SASLFAIL = 904;
    /// `<client> :SASL message too long`
    ERR_SASLTOOLONG = 905;
    /// `<client> :SASL authentication aborted`
    ERR_SASLABORTED = 906;
    /// `<client> :You have already authenticated using SASL`
    ERR_SASLALREADY = 907;
    /// `<client> <mechanism>[,…] :are available SASL mechanisms`
    RPL_SASLMECHS = 908;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_and_names_are_found() {
        assert!(NAMES.is_sorted_by(|left, right| left.0 < right.0));
        for (numeric, name) in NAMES {
            assert_eq!(numeric.name(), Some(*name));
            assert_eq!(Numeric::parse(&numeric.to_string()), Some(*numeric));
        }
        assert_eq!(Numeric(999).name(), None);
    }

    #[test]
    fn three_digits_are_written_and_read() {
        assert_eq!(Numeric::RPL_WELCOME.to_string(), "001");
        assert_eq!(format!("{:?}", Numeric::ERR_NOSUCHNICK), "401 ERR_NOSUCHNICK");
        for text in ["", "1", "000", "0001", "+12", "12a", "éa"] {
            assert_eq!(Numeric::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn errors_are_told_from_replies() {
        assert!(Numeric::ERR_SASLFAIL.is_error() && Numeric::ERR_NOSUCHNICK.is_error());
        assert!(!Numeric::RPL_SASLSUCCESS.is_error() && !Numeric::RPL_TOPIC.is_error());
    }
}
