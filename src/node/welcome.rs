//! How new members come in, and how members move: the leader's side.
//!
//! Owns the checks of a name, a data directory and an address before anybody is made a member, or is
//! looked for elsewhere. It may not give votes: the steward does, once a member is fit. Invariant: a name
//! never silently takes the place of an entry, and an address belongs to who answers there.

use std::time::Duration;

use bytes::Bytes;

use crate::codec;
use crate::raft::{Goal, MeetError, Member, MemberChange, PeerIdentity};
use crate::store::identity::PlannedMember;

use super::council::{Council, Decision, Floor, Motion, Reach};
use super::lineup::Roster;
use super::messages::{Answer, JoinAnswer, JoinRequest, Probe, ProbeAnswer, Request};
use super::operator::{ADDRESS_BYTES_MAX, AdminRefusal, MEMBERS_MAX, Mode, NAME_BYTES_MAX, Seat};

/// How long a node that is met may take to say more of itself.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// Who is invited.
pub(super) struct Guest {
    /// Its `node.name`.
    pub(super) name: String,
    /// Where it waits.
    pub(super) peer: String,
    /// What it is to be.
    pub(super) seat: Seat,
}

impl Council {
    /// Invites the node called `name` that waits at `peer`, or says how far it is.
    pub(super) async fn decide_add(
        &self,
        floor: &Floor,
        guest: &Guest,
        mode: Mode,
    ) -> Result<Decision, AdminRefusal> {
        let Guest { name, peer, seat } = guest;
        let (roster, seat) = (&floor.roster, *seat);
        if roster.find(name).is_ok() {
            return self.decide_readd(roster, guest).await;
        }
        if roster.len() >= MEMBERS_MAX {
            return Err(AdminRefusal::TooManyMembers);
        }
        let met = match self.raft.meet(peer).await {
            Err(MeetError::Nobody) if mode == Mode::Execute => {
                self.invitations.keep(name, seat);
                let message =
                    format!("nobody answers at {peer} yet: start {name} with cluster.join");
                return Ok(Decision::Stands(Reach::Begun, message));
            }
            met => met.map_err(|error| not_met(error, peer))?,
        };
        let newcomer = self.introduced(name, peer, &met).await?;
        self.invitations.keep(name, seat);
        Ok(Decision::change(motion_to_add(roster, newcomer, seat)))
    }

    /// The order was given before, or the node came by itself.
    async fn decide_readd(
        &self,
        roster: &Roster,
        Guest { name, peer, seat }: &Guest,
    ) -> Result<Decision, AdminRefusal> {
        let seat = *seat;
        let view = roster.find(name)?;
        let met = self.raft.meet(peer).await;
        if met.is_ok_and(|met| met.name == *name && met.incarnation != view.member.incarnation) {
            return Err(AdminRefusal::NameTaken {
                name: name.to_owned(),
                id: view.member.id,
            });
        }
        match (seat, view.voter) {
            (Seat::Learner, true) => return Err(AdminRefusal::AlreadyVoter(name.to_owned())),
            (Seat::Voter, true) => {
                return Ok(Decision::Stands(Reach::Whole, format!("{name} is a voter")));
            }
            (_, false) => {}
        }
        let lag = roster.lag(view);
        let wanted = goal_of(seat);
        if view.member.goal != Goal::Stay && seat == Seat::Voter {
            let message = format!("{name} is catching up: {lag} entries behind");
            return Ok(Decision::Stands(Reach::Begun, message));
        }
        if view.member.goal == wanted {
            let reach = match roster.able_to_vote(view) {
                Ok(_) => Reach::Whole,
                Err(_) => Reach::Begun,
            };
            let message = format!("{name} is a learner, {lag} entries behind");
            return Ok(Decision::Stands(reach, message));
        }
        Ok(Decision::change(motion_for_goal(
            roster,
            &view.member,
            seat,
        )))
    }

    /// Who was met at `addr`, if it is an empty node called `name` that waits to join.
    async fn introduced(
        &self,
        name: &str,
        addr: &str,
        met: &PeerIdentity,
    ) -> Result<Member, AdminRefusal> {
        if met.name != name {
            return Err(wrong_node(addr, name, met));
        }
        if let Some(index) = self.raft.removed_at(met.incarnation) {
            return Err(AdminRefusal::Removed(index));
        }
        let probed = self.probe(addr).await;
        let answer = probed.ok_or_else(|| AdminRefusal::Unreachable(addr.to_owned()))?;
        if !answer.joining {
            return Err(AdminRefusal::NotJoining(addr.to_owned()));
        }
        Ok(Member {
            peer_addr: addr.to_owned(),
            ..to_member(answer.member, Goal::Stay)
        })
    }

    async fn probe(&self, addr: &str) -> Option<ProbeAnswer> {
        let probe = Request::Probe(Probe {
            name: String::new(),
            incarnation: 0,
        });
        let request = Bytes::from(codec::encode(&probe));
        let answer = self.raft.call_addr(addr, request, PROBE_MAX).await.ok()?;
        match codec::decode(&answer, codec::CONTROL_MAX) {
            Ok(Answer::Probe(answer)) => Some(answer),
            _ => None,
        }
    }

    /// Moves a member, once the same node answers at the new address.
    pub(super) async fn decide_update(
        &self,
        roster: &Roster,
        name: &str,
        peer: Option<String>,
        http: Option<String>,
    ) -> Result<Decision, AdminRefusal> {
        let member = &roster.find(name)?.member;
        if let Some(peer) = &peer {
            let met = self.raft.meet(peer).await;
            let met = met.map_err(|error| not_met(error, peer))?;
            if (met.node_id, met.incarnation) != (Some(member.id), member.incarnation) {
                return Err(wrong_node(peer, name, &met));
            }
        }
        let moved = Member {
            peer_addr: peer.unwrap_or_else(|| member.peer_addr.clone()),
            http_addr: http.unwrap_or_else(|| member.http_addr.clone()),
            ..member.clone()
        };
        if moved == *member {
            return Ok(Decision::Stands(
                Reach::Whole,
                format!("{name} is there already"),
            ));
        }
        Ok(Decision::change(Motion {
            steps: vec![format!(
                "{name} is reached at {} by peers and at {} by clients",
                moved.peer_addr, moved.http_addr
            )],
            after: roster.lineup(),
            message: format!("{name} has moved"),
            change: MemberChange::Set(moved),
            reach: Reach::Whole,
        }))
    }

    /// Answers an empty node that wants to be a member.
    pub(super) async fn admit(&self, request: JoinRequest) -> JoinAnswer {
        let status = self.raft.status();
        let incarnation = request.member.incarnation;
        let known = status
            .members
            .iter()
            .find(|view| view.member.incarnation == incarnation);
        if status.leader != Some(self.raft.me()) {
            let leader = status
                .members
                .iter()
                .find(|view| Some(view.member.id) == status.leader);
            return match leader {
                Some(leader) => JoinAnswer::Ask(leader.member.peer_addr.clone()),
                None => JoinAnswer::Later("there is no leader".to_owned()),
            };
        }
        if let Some(known) = known {
            return self.admitted(known.member.id);
        }
        match self.take_in(request).await {
            Ok(()) => {
                let members = self.raft.status().members;
                let new = members
                    .iter()
                    .find(|view| view.member.incarnation == incarnation);
                new.map_or_else(
                    || JoinAnswer::Later("it takes a moment".to_owned()),
                    |new| self.admitted(new.member.id),
                )
            }
            Err(refusal) if is_for_good(&refusal) => JoinAnswer::Refused(self.cluster_id, refusal),
            Err(refusal) => JoinAnswer::Later(refusal.to_string()),
        }
    }

    fn admitted(&self, id: u64) -> JoinAnswer {
        JoinAnswer::Admitted {
            cluster_id: self.cluster_id,
            id,
        }
    }

    async fn take_in(&self, request: JoinRequest) -> Result<(), AdminRefusal> {
        let floor = self.take_the_floor()?;
        let JoinRequest { member, replaces } = request;
        check_lengths(&member)?;
        if let Some(index) = self.raft.removed_at(member.incarnation) {
            return Err(AdminRefusal::Removed(index));
        }
        let floor = match replaces {
            Some(_) => self.with_the_living(floor).await,
            None => floor,
        };
        let goal = self.goal_for(&floor.roster, &member, replaces)?;
        if floor.roster.len() >= MEMBERS_MAX {
            return Err(AdminRefusal::TooManyMembers);
        }
        let met = self.raft.meet(&member.peer_addr).await;
        let met = met.map_err(|error| not_met(error, &member.peer_addr))?;
        if met.incarnation != member.incarnation {
            return Err(wrong_node(&member.peer_addr, &member.name, &met));
        }
        tracing::info!(name = member.name, ?goal, "a new member comes in");
        let change = MemberChange::Add(to_member(member, goal));
        self.change(&floor, change).await.map(|_index| ())
    }

    /// What becomes of a newcomer. Its name is free, or is that of the member it replaces.
    fn goal_for(
        &self,
        roster: &Roster,
        newcomer: &PlannedMember,
        replaces: Option<u64>,
    ) -> Result<Goal, AdminRefusal> {
        let replaced = replaces.and_then(|id| roster.get(id));
        if let Some(replaced) = replaced
            && roster.is_alive(replaced.member.id)
        {
            return Err(AdminRefusal::StillAlive(replaced.member.name.clone()));
        }
        let namesakes = roster
            .members()
            .iter()
            .filter(|view| view.member.name == newcomer.name);
        for namesake in namesakes {
            if Some(namesake.member.id) != replaces {
                return Err(AdminRefusal::NameTaken {
                    name: newcomer.name.clone(),
                    id: namesake.member.id,
                });
            }
        }
        Ok(match replaced {
            Some(replaced) => Goal::Replace(replaced.member.id),
            None => goal_of(self.invitations.seat_of(&newcomer.name)),
        })
    }
}

fn goal_of(seat: Seat) -> Goal {
    match seat {
        Seat::Voter => Goal::Vote,
        Seat::Learner => Goal::Stay,
    }
}

fn motion_to_add(roster: &Roster, newcomer: Member, seat: Seat) -> Motion {
    let (name, lineup) = (newcomer.name.clone(), roster.lineup());
    let mut steps = vec![
        format!("{name} becomes a learner, under a number from the log"),
        "it gets the log or a snapshot, and verifies it".to_owned(),
    ];
    let after = match seat {
        Seat::Learner => lineup.with_learner(&name),
        Seat::Voter => {
            steps.push("its state is compared with the leader's at one index".to_owned());
            steps.push(format!("{name} votes"));
            lineup.with_voter(&name)
        }
    };
    Motion {
        change: MemberChange::Add(Member {
            goal: goal_of(seat),
            ..newcomer
        }),
        steps,
        after,
        message: format!("{name} is a learner and catches up"),
        reach: Reach::Begun,
    }
}

/// Another wish for a learner there is.
fn motion_for_goal(roster: &Roster, learner: &Member, seat: Seat) -> Motion {
    let name = &learner.name;
    let mut voters = roster.voters();
    let (message, reach) = match seat {
        Seat::Learner => (format!("{name} stays a learner"), Reach::Whole),
        Seat::Voter => {
            voters.insert(learner.id);
            (format!("{name} votes once it is caught up"), Reach::Begun)
        }
    };
    Motion {
        change: MemberChange::Set(Member {
            goal: goal_of(seat),
            ..learner.clone()
        }),
        steps: vec![message.clone()],
        after: roster.lineup_of(&voters, &std::collections::BTreeSet::new()),
        message,
        reach,
    }
}

fn to_member(planned: PlannedMember, goal: Goal) -> Member {
    Member {
        id: planned.id,
        name: planned.name,
        incarnation: planned.incarnation,
        peer_addr: planned.peer_addr,
        http_addr: planned.http_addr,
        goal,
    }
}

/// What a peer sends is bounded before it is kept.
fn check_lengths(member: &PlannedMember) -> Result<(), AdminRefusal> {
    let fits = (1..=NAME_BYTES_MAX).contains(&member.name.len())
        && member.peer_addr.len() <= ADDRESS_BYTES_MAX
        && member.http_addr.len() <= ADDRESS_BYTES_MAX;
    match fits {
        true => Ok(()),
        false => Err(AdminRefusal::Malformed(
            "a name or an address is too long".to_owned(),
        )),
    }
}

/// Whether asking again is of no use.
fn is_for_good(refusal: &AdminRefusal) -> bool {
    matches!(
        refusal,
        AdminRefusal::NameTaken { .. }
            | AdminRefusal::Removed(_)
            | AdminRefusal::WrongNode { .. }
            | AdminRefusal::ForeignCluster { .. }
            | AdminRefusal::Malformed(_)
    )
}

fn not_met(error: MeetError, addr: &str) -> AdminRefusal {
    match error {
        MeetError::Nobody | MeetError::Refused => AdminRefusal::Unreachable(addr.to_owned()),
        MeetError::ForeignCluster(cluster) => AdminRefusal::ForeignCluster {
            addr: addr.to_owned(),
            cluster: format!("{cluster:032x}"),
        },
    }
}

fn wrong_node(addr: &str, wanted: &str, met: &PeerIdentity) -> AdminRefusal {
    AdminRefusal::WrongNode {
        addr: addr.to_owned(),
        wanted: wanted.to_owned(),
        found: met.name.clone(),
    }
}
