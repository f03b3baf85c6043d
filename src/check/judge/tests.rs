//! What is said of records that are made up: each pattern with its cause, each level of each check.

mod end;
mod front;
mod outside;
mod property;
mod surroundings;
mod tree;
mod why;
