"""Tests of the judges: on hand-made histories, and on a server that breaks one promise at a time.

A harness that cannot turn red proves nothing, so each judge has a case here that it must catch, beside one it must let pass.
"""

import time
import unittest

from . import oracles
from .fake_node import FakeNode
from .history import ABSENT, ACKED, REFUSED, UNKNOWN, History, Read, Renewal, Write
from .load import Load, Shape
from .row import Outcome, Row, Run
from .settle import judge

LOAD_SECONDS = 1.0


def written(value, at, outcome=ACKED, index=None, key="A/1", node="n1"):
    return Write(key, value, at, at + 0.1, node, outcome, index if outcome == ACKED else None, 0 if outcome == ACKED else None)


def read(value, at, index, key="A/1", node="n1"):
    return Read(key, value, at, at + 0.1, node, index)


def history(*records):
    made = History()
    for record in records:
        {Write: made.writes, Read: made.reads, Renewal: made.renewals}[type(record)].append(record)
    return made


class Lost(unittest.TestCase):
    def test_the_last_acknowledged_write_is_there(self):
        told = history(written(1, 0, index=5), written(2, 1, index=6))
        self.assertEqual(oracles.lost_writes(told, {"n1": {"A/1": 2}}), [])

    def test_an_acknowledged_write_that_is_gone_is_lost(self):
        told = history(written(1, 0, index=5), written(2, 1, index=6))
        self.assertEqual(len(oracles.lost_writes(told, {"n1": {"A/1": 2}, "n2": {}})), 1)

    def test_an_older_acknowledged_value_is_lost_on_that_node(self):
        told = history(written(1, 0, index=5), written(2, 1, index=6))
        self.assertEqual(len(oracles.lost_writes(told, {"n1": {"A/1": 1}})), 1)

    def test_order_is_that_of_the_log_and_not_of_the_clock(self):
        told = history(written(2, 0, index=9), written(1, 1, index=6))
        self.assertEqual(oracles.lost_writes(told, {"n1": {"A/1": 2}}), [])

    def test_an_attempt_of_unknown_fate_may_stand_and_may_not(self):
        told = history(written(1, 0, index=5), written(2, 1, UNKNOWN))
        self.assertEqual(oracles.lost_writes(told, {"n1": {"A/1": 1}, "n2": {"A/1": 2}}), [])

    def test_a_retry_does_not_hide_what_its_first_attempt_lost(self):
        told = history(written(1, 0, index=5), written(2, 1, UNKNOWN), written(3, 2, index=8))
        self.assertEqual(len(oracles.lost_writes(told, {"n1": {"A/1": 1}})), 1)

    def test_a_cancellation_that_came_back_is_lost(self):
        told = history(written(1, 0, index=5), written(ABSENT, 1, index=6))
        self.assertEqual(len(oracles.lost_writes(told, {"n1": {"A/1": 1}})), 1)


class WrongReads(unittest.TestCase):
    def test_a_read_that_shows_the_write_before_it_is_right(self):
        self.assertEqual(oracles.wrong_reads(history(written(1, 0, index=5), read(1, 1, 5))), [])

    def test_a_read_at_an_index_before_the_acknowledged_write_is_stale(self):
        self.assertEqual(len(oracles.wrong_reads(history(written(1, 0, index=5), read(ABSENT, 1, 4)))), 1)

    def test_a_read_that_was_under_way_may_be_older(self):
        self.assertEqual(oracles.wrong_reads(history(written(1, 0, index=5), read(ABSENT, 0.05, 4))), [])

    def test_reads_do_not_go_back_between_nodes(self):
        told = history(written(1, 0, index=5), read(1, 1, 9), read(1, 2, 8, node="n2"))
        self.assertEqual(len(oracles.wrong_reads(told)), 1)

    def test_a_read_at_a_high_index_with_an_old_value_is_wrong(self):
        told = history(written(1, 0, index=5), written(2, 1, index=6), read(1, 2, 7))
        self.assertEqual(len(oracles.wrong_reads(told)), 1)

    def test_a_write_placed_before_one_that_was_acknowledged_earlier_is_wrong(self):
        told = history(written(1, 0, index=9), written(2, 1, index=6, key="A/2"))
        self.assertEqual(len(oracles.wrong_reads(told)), 1)

    def test_an_unknown_attempt_may_show_and_one_not_yet_begun_may_not(self):
        told = history(written(1, 0, index=5), written(2, 1, UNKNOWN), read(2, 2, 7))
        self.assertEqual(oracles.wrong_reads(told), [])
        told = history(written(1, 0, index=5), written(2, 4, UNKNOWN), read(2, 2, 7))
        self.assertEqual(len(oracles.wrong_reads(told)), 1)


class Others(unittest.TestCase):
    def test_a_404_to_a_heartbeat_is_a_false_eviction(self):
        told = history(Renewal("A/1", 0, 0.1, "n1", ACKED), Renewal("A/1", 1, 1.1, "n1", ACKED, found=False))
        self.assertEqual(len(oracles.false_evictions(told)), 1)

    def test_what_was_refused_may_not_show(self):
        told = history(written(1, 0, REFUSED))
        self.assertEqual(oracles.refused_but_done(told, {"n1": {}}), [])
        self.assertEqual(len(oracles.refused_but_done(told, {"n1": {"A/1": 1}})), 1)

    def test_one_leader_a_term(self):
        self.assertEqual(oracles.two_leaders({(1, "n1"), (2, "n2"), (3, "n1")}), [])
        self.assertEqual(len(oracles.two_leaders({(1, "n1"), (1, "n2")})), 1)

    def test_one_hash_an_index(self):
        self.assertEqual(oracles.split_states([(5, "aa", "n1"), (5, "aa", "n2"), (6, "bb", "n1")]), [])
        self.assertEqual(len(oracles.split_states([(5, "aa", "n1"), (5, "ab", "n2")])), 1)

    def test_a_term_only_grows(self):
        self.assertEqual(oracles.went_back([("n1", "term", 1), ("n2", "term", 5), ("n1", "term", 2)]), [])
        self.assertEqual(len(oracles.went_back([("n1", "term", 2), ("n1", "term", 1)])), 1)

    def test_the_longest_gap_counts_from_the_fault_and_to_the_end(self):
        told = history(written(1, 0, index=1), written(2, 2.9, index=2))
        self.assertAlmostEqual(told.longest_gap_ms(0.5, 4.0), 2500)
        self.assertAlmostEqual(told.longest_gap_ms(0.5, 9.0), 6000)


class AgainstAServer(unittest.TestCase):
    """The whole way: clients, record, judges."""

    def judged(self, fault):
        node = FakeNode(fault)
        run = object.__new__(Run)
        run.outcome = Outcome(seed=1)
        run.row = Row(0, fault or "none", None, 1)
        load = Load([node], Shape(4, 10, writers=2, renewers=2, readers=2, renew_every_s=1), 1)
        try:
            load.start()
            time.sleep(LOAD_SECONDS)
            load.stop()
            judge(run, node, load)
        finally:
            node.close()
        return run.outcome

    def test_an_honest_server_passes(self):
        outcome = self.judged(None)
        self.assertEqual((outcome.problems, outcome.lost, outcome.silent), ([], 0, 0))
        self.assertGreater(outcome.acked, 100)

    def test_a_server_that_acknowledges_and_forgets_is_caught(self):
        self.assertGreater(self.judged("forgets").lost, 0)

    def test_every_broken_promise_is_caught(self):
        for fault in FakeNode.FAULTS[1:]:
            with self.subTest(fault):
                self.assertGreater(self.judged(fault).silent, 0)


class Evidence(unittest.TestCase):
    def judged(self, faults, acked):
        run = object.__new__(Run)
        run.row, run.outcome = Row(0, "none", None, 1), Outcome(seed=1, acked=acked)
        run.faults, run.clusters, run._watches = faults, [], {}
        run._judge()
        return run.outcome.problems

    def test_a_run_without_a_fault_or_without_an_acknowledged_write_fails(self):
        self.assertEqual(self.judged(["kill"], 10), [])
        self.assertEqual(len(self.judged([], 10)), 1)
        self.assertEqual(len(self.judged(["kill"], 0)), 1)


def run():
    """The exit code."""
    loaded = unittest.defaultTestLoader.loadTestsFromModule(__import__(__name__, fromlist=["*"]))
    return 0 if unittest.TextTestRunner(verbosity=1).run(loaded).wasSuccessful() else 1
