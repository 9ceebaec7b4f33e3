//! The first start of a cluster: who we are, agreed once and stored before anything else.
//!
//! Owns the plan of architecture "Members": every node makes and stores its incarnation; the first name
//! of the list collects them, makes the cluster id and the ids 1..n in list order, stores the plan, has
//! every node store it, and alone initialises. An unfinished plan resumes. It may not touch Raft.
//! Invariant: a node bound to one plan never stores another.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::codec;
use crate::raft::Peers;
use crate::store::blocking;
use crate::store::identity::{Identity, IdentityFile, JoinMark, PlannedMember};

use super::messages::{Answer, Plan, PlanAnswer, Probe, ProbeAnswer, Request};
use super::operator::AdminRefusal;

/// How long one question to another node may take.
const ASK_MAX: Duration = Duration::from_secs(1);
/// How long to wait before asking those who did not answer again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// A name of `initial_members` and where its peers reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialMember {
    /// The operator's name.
    pub name: String,
    /// `host:port` of its peer listener.
    pub peer_addr: String,
}

/// How an empty node comes into a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayIn {
    /// It founds one with these, in their order; with nobody else if there are none.
    Found(Vec<InitialMember>),
    /// It joins one that runs. It never founds any.
    Join(JoinMark),
}

/// Why a first start ended.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// A cluster knows my name with another data directory: exit 77.
    #[error(
        "cluster {cluster:032x} binds the name {name:?} to another data directory: this one is empty or foreign"
    )]
    BoundToAnother {
        /// The cluster.
        cluster: u128,
        /// My name.
        name: String,
    },
    /// The cluster removed this data directory: exit 76.
    #[error("removed from the cluster at index {0}")]
    Removed(u64),
    /// The cluster does not take this node as it is configured: exit 78.
    #[error(transparent)]
    Refused(AdminRefusal),
    /// The identity file failed.
    #[error(transparent)]
    Identity(#[from] io::Error),
}

/// One node's part in a first start.
pub struct FirstStart {
    /// This node as it would be planned; its id is 0.
    pub(super) me: PlannedMember,
    way_in: WayIn,
    pub(super) file: IdentityFile,
    /// Makes "is it free" and "it is mine" one step; held over one write of the identity file.
    deciding: Mutex<()>,
    planned: watch::Sender<bool>,
    /// Guards the names readiness shows; held for a copy.
    missing: Mutex<Vec<String>>,
    /// Guards why joining takes so long; held for a copy.
    pub(super) obstacle: Mutex<String>,
}

impl FirstStart {
    /// Starts from what `file` holds; what is bound already needs no way in.
    pub fn new(me: PlannedMember, way_in: WayIn, file: IdentityFile) -> Arc<Self> {
        let planned = watch::Sender::new(file.get().cluster_id.is_some());
        let (deciding, missing) = (Mutex::new(()), Mutex::new(Vec::new()));
        Arc::new(Self {
            me,
            way_in,
            file,
            deciding,
            planned,
            missing,
            obstacle: Mutex::default(),
        })
    }

    /// This node's identity as decided so far.
    pub fn identity(&self) -> Identity {
        self.file.get()
    }

    /// What a node that is no member yet waits for, in a sentence.
    pub fn waits_for(&self) -> String {
        if self.is_joining() {
            let obstacle = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner);
            return format!("joining a cluster: {obstacle}");
        }
        let missing = self.missing();
        match missing.is_empty() {
            true => "starting".to_owned(),
            false => format!(
                "waiting for {} to answer for the first time",
                missing.join(", ")
            ),
        }
    }

    /// Whether this node waits to become a member of a running cluster.
    pub fn is_joining(&self) -> bool {
        matches!(self.way_in, WayIn::Join(_)) && self.file.get().cluster_id.is_none()
    }

    /// Returns once this node belongs to a cluster, by whichever way in it has.
    ///
    /// # Errors
    /// [`FirstStartError`] if it may never belong to the one it was configured for.
    pub async fn come_in(
        self: &Arc<Self>,
        peers: &Peers,
        fresh_cluster_id: u128,
    ) -> Result<Plan, FirstStartError> {
        match &self.way_in {
            WayIn::Join(mark) => self.be_admitted(peers, mark).await,
            WayIn::Found(_) => self.agree(peers, fresh_cluster_id).await,
        }
    }

    /// Names that have not answered yet.
    fn missing(&self) -> Vec<String> {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns once this node's identity holds a plan: its own if it is first in the list, else the first's.
    ///
    /// # Errors
    /// [`FirstStartError`] if this node may never be part of the cluster it was configured for.
    async fn agree(
        self: &Arc<Self>,
        peers: &Peers,
        fresh_cluster_id: u128,
    ) -> Result<Plan, FirstStartError> {
        let mut planned = self.planned.subscribe();
        while !*planned.borrow_and_update() {
            let answers = self.probe_others(peers).await?;
            if self.is_first() && answers.len() + 1 >= self.list().len().max(1) {
                self.make_plan(fresh_cluster_id, answers).await?;
                continue;
            }
            // Whoever is not first is told the plan; meanwhile it goes on asking, to learn early that
            // the cluster knows its name by another directory.
            let _ = tokio::time::timeout(ASK_AGAIN, planned.changed()).await;
        }
        self.set_missing(Vec::new());
        Ok(self.plan())
    }

    /// What is stored.
    pub(super) fn plan(&self) -> Plan {
        let identity = self.identity();
        Plan {
            cluster_id: identity.cluster_id.unwrap_or_default(),
            members: identity.plan,
        }
    }

    /// The other members of the list; of nobody's, if this node joins.
    fn list(&self) -> &[InitialMember] {
        match &self.way_in {
            WayIn::Found(list) => list,
            WayIn::Join(_) => &[],
        }
    }

    /// Has every other member store `plan`; returns when all have.
    ///
    /// # Errors
    /// [`FirstStartError::BoundToAnother`] if one of them belongs to another plan or cluster.
    pub async fn spread(&self, peers: &Peers, plan: &Plan) -> Result<(), FirstStartError> {
        let mut left: Vec<&PlannedMember> = plan
            .members
            .iter()
            .filter(|member| member.name != self.me.name)
            .collect();
        while !left.is_empty() {
            let mut again = Vec::new();
            for member in left {
                match ask(
                    peers,
                    &member.peer_addr,
                    &Request::StorePlan(plan.clone()),
                    ASK_MAX,
                )
                .await
                {
                    Some(Answer::StorePlan(PlanAnswer::Stored)) => {}
                    Some(Answer::StorePlan(PlanAnswer::OtherCluster(cluster))) => {
                        return Err(self.bound_to_another(cluster));
                    }
                    _ => again.push(member),
                }
            }
            self.set_missing(again.iter().map(|member| member.name.clone()).collect());
            if !again.is_empty() {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            left = again;
        }
        Ok(())
    }

    /// Answers a [`Probe`]. `known` is the membership once Raft runs; before, the plan stands in.
    pub fn probe(&self, probe: &Probe, known: Option<&[PlannedMember]>) -> ProbeAnswer {
        let identity = self.identity();
        let members = known.unwrap_or(&identity.plan);
        let asker = members.iter().find(|member| member.name == probe.name);
        let mut member = self.me.clone();
        member.id = identity.node_id.unwrap_or(0);
        ProbeAnswer {
            member,
            cluster_id: identity.cluster_id,
            your_incarnation: asker.map(|member| member.incarnation),
            joining: self.is_joining(),
        }
    }

    /// Stores `plan` durably, unless this node is bound to another or not in it. Blocks on the disk.
    ///
    /// # Errors
    /// An I/O error if the identity file failed: the process must stop.
    pub fn store_plan(&self, plan: &Plan) -> io::Result<PlanAnswer> {
        let own = plan
            .members
            .iter()
            .find(|member| member.name == self.me.name);
        let Some(own) = own.filter(|member| member.incarnation == self.me.incarnation) else {
            return Ok(PlanAnswer::NotMe);
        };
        if self.is_joining() {
            return Ok(PlanAnswer::NotMe);
        }
        let deciding = self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        match self.file.get().cluster_id {
            Some(bound) if bound == plan.cluster_id => return Ok(PlanAnswer::Stored),
            Some(bound) => return Ok(PlanAnswer::OtherCluster(bound)),
            None => {}
        }
        self.file.update(|identity| {
            identity.cluster_id = Some(plan.cluster_id);
            identity.node_id = Some(own.id);
            identity.plan.clone_from(&plan.members);
        })?;
        drop(deciding);
        self.planned.send_replace(true);
        Ok(PlanAnswer::Stored)
    }

    async fn make_plan(
        self: &Arc<Self>,
        cluster_id: u128,
        answers: Vec<PlannedMember>,
    ) -> Result<(), FirstStartError> {
        let members = std::iter::once(self.me.clone()).chain(answers);
        let members = (1..)
            .zip(members)
            .map(|(id, member)| PlannedMember { id, ..member })
            .collect();
        let plan = Plan {
            cluster_id,
            members,
        };
        let this = Arc::clone(self);
        let answer = blocking(move || this.store_plan(&plan)).await?;
        debug_assert_eq!(
            answer,
            PlanAnswer::Stored,
            "a plan of one's own names oneself"
        );
        Ok(())
    }

    /// Asks everybody else in the list; the answers in list order.
    async fn probe_others(&self, peers: &Peers) -> Result<Vec<PlannedMember>, FirstStartError> {
        let mut answers = Vec::new();
        let mut missing = Vec::new();
        for other in self
            .list()
            .iter()
            .filter(|member| member.name != self.me.name)
        {
            let probe = Probe {
                name: self.me.name.clone(),
                incarnation: self.me.incarnation,
            };
            match ask(peers, &other.peer_addr, &Request::Probe(probe), ASK_MAX).await {
                Some(Answer::Probe(answer)) if self.is_foreign(&answer) => {
                    missing.push(format!("{} (it belongs to another cluster)", other.name));
                }
                Some(Answer::Probe(answer)) if answer.member.name == other.name => {
                    self.check(&answer)?;
                    answers.push(PlannedMember {
                        peer_addr: other.peer_addr.clone(),
                        ..answer.member
                    });
                }
                _ => missing.push(other.name.clone()),
            }
        }
        self.set_missing(missing);
        Ok(answers)
    }

    /// Refuses to go on when a cluster knows this name by another directory, or knows this directory
    /// although it has forgotten the cluster.
    fn check(&self, answer: &ProbeAnswer) -> Result<(), FirstStartError> {
        match (answer.cluster_id, answer.your_incarnation) {
            (Some(cluster), Some(bound)) if bound != self.me.incarnation || self.is_first() => {
                Err(self.bound_to_another(cluster))
            }
            _ => Ok(()),
        }
    }

    /// Whether the answerer is bound to a cluster that does not know me: no plan of mine can hold it.
    fn is_foreign(&self, answer: &ProbeAnswer) -> bool {
        answer.cluster_id.is_some()
            && answer.your_incarnation.is_none()
            && answer.member.name != self.me.name
    }

    pub(super) fn bound_to_another(&self, cluster: u128) -> FirstStartError {
        FirstStartError::BoundToAnother {
            cluster,
            name: self.me.name.clone(),
        }
    }

    fn is_first(&self) -> bool {
        self.list()
            .first()
            .is_none_or(|first| first.name == self.me.name)
    }

    fn set_missing(&self, names: Vec<String>) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if *missing != names && !names.is_empty() {
            tracing::info!(
                missing = names.join(", "),
                "waiting for members of the first start"
            );
        }
        *missing = names;
    }
}

/// One question, one answer; `None` when there was none in time or it made no sense.
pub(super) async fn ask(
    peers: &Peers,
    addr: &str,
    request: &Request,
    within: Duration,
) -> Option<Answer> {
    let (_from, answer) = peers
        .call_addr(addr, Bytes::from(codec::encode(request)), within)
        .await
        .ok()?;
    codec::decode(&answer, codec::CONTROL_MAX).ok()
}
