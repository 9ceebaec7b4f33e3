//! Whom to ask, when whoever was asked does not answer.
//!
//! Owns the list of servers a command may turn to: those it was given, and the members they name. It
//! may not ask anybody twice about an order that can have arrived.

use serde::de::DeserializeOwned;

use super::api::Member;
use super::http_client::{AskError, OrderError, ask, order};
use crate::server::config::BaseUrl;

/// Servers in the order in which they are turned to; the first answered last time.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    known: Vec<BaseUrl>,
}

impl Servers {
    /// The servers of `--server`, at least one: clap sees to it.
    pub(super) fn new(given: &[BaseUrl]) -> Self {
        Self {
            known: given.to_vec(),
        }
    }

    /// The server that answered last, or the first that was given.
    pub(super) fn first(&self) -> String {
        self.known
            .first()
            .map(BaseUrl::to_string)
            .unwrap_or_default()
    }

    /// One that answers, for what is asked of a single server; the first that was given if none does.
    pub(super) async fn one_that_answers(mut self) -> Option<BaseUrl> {
        // Whoever uses it hears why nobody does.
        let _ = self.ask::<serde::de::IgnoredAny>("/v1/status").await;
        self.known.into_iter().next()
    }

    /// Remembers the members' addresses, for when nobody else answers any more.
    pub(super) fn learn(&mut self, members: &[Member]) {
        for member in members {
            if let Ok(url) = member.http.parse::<BaseUrl>()
                && !self.known.contains(&url)
            {
                self.known.push(url);
            }
        }
    }

    /// The next question or order goes to another one first: this one took it and said nothing.
    pub(super) fn turn_to_the_next(&mut self) {
        self.known.rotate_left(1);
    }

    /// Asks one after the other until somebody answers.
    ///
    /// # Errors
    /// The first one's, if nobody answers; a strange answer at once.
    pub(super) async fn ask<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, AskError> {
        let mut first = None;
        for place in 0..self.known.len() {
            match ask(&self.known[place], path).await {
                Err(AskError::Silent(why)) => first = first.or(Some(why)),
                answer => {
                    self.known.swap(0, place);
                    return answer;
                }
            }
        }
        Err(AskError::Silent(first.unwrap_or_default()))
    }

    /// Gives an order to the first that can be connected to.
    ///
    /// # Errors
    /// [`OrderError`]; nobody else is tried once it was sent.
    pub(super) async fn order<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, OrderError> {
        let mut first = None;
        for place in 0..self.known.len() {
            match order(&self.known[place], path, body).await {
                Err(OrderError::Silent(why)) => first = first.or(Some(why)),
                answer => {
                    self.known.swap(0, place);
                    return answer;
                }
            }
        }
        Err(OrderError::Silent(first.unwrap_or_default()))
    }
}
