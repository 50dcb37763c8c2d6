//! Accounts, invitations and the admin socket, in a real embedded store and over a real socket.

mod admin;
mod bootstrap;
mod commits;
mod fleet;
mod invites;
mod kit;
mod logins;
mod records;
