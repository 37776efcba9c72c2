"""Brokers that do not take who we are, by script: what waits for them, and what becomes of it after
`authorization_deadline`.
"""

import os
import sys

from daemon_case import SMALL, encode, wait_for
from scripted_test import BATCH, OPTIONS, Scripted

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.scripted_broker import ScriptedBroker, Step  # noqa: E402

RIGHT, WRONG = "right", "wrong"
SASL = ("security_protocol = SASL_PLAINTEXT\n[sasl]\nmechanism = PLAIN\nusername = dory\n"
        "password_file = %s\n")


class Refusals(Scripted):
    def run_with(self, password, *brokers, deadline="1s", more=""):
        self.password = os.path.join(self.folder, "password")
        self.set_password(password)
        for broker in brokers:
            broker.password = RIGHT.encode()
            self.addCleanup(broker.stop)
            broker.__enter__()
        self.broker = brokers[0]
        options = OPTIONS + "authorization_deadline = %s\n%s" % (deadline, more)
        self.write_config("%s\n%s" % (self.broker.address, SASL % self.password), more=options,
                          buffer=SMALL)
        self.start()

    def set_password(self, password):
        with open(self.password, "w", encoding="ascii") as file:
            file.write(password + "\n")
        os.chmod(self.password, 0o600)

    def wait_refused(self, broker):
        """Its state says so, and a warning says why."""
        wait_for("the state refused", lambda: any(
            shown["address"] == broker.address and shown["state"] == "refused"
            for shown in self.status().get("brokers", [])))
        self.assertTrue([warning for warning in self.status()["warnings"]
                         if broker.address in str(warning) and
                         "SASL_AUTHENTICATION_FAILED" in str(warning)])

    def wait_discarded(self, count):
        wait_for("%d are discarded" % count,
                 lambda: self.discarded_by() == {"not_authorized": count})

    def test_from_the_start(self):
        """Nothing is known of any topic; with the right password messages flow."""
        self.run_with(WRONG, ScriptedBroker({"t": 2}))
        self.send_batch(0)
        self.send(3)
        self.wait_refused(self.broker)
        self.wait_discarded(BATCH + 3)
        self.wait_settled()
        self.set_password(RIGHT)
        wait_for("the broker is up", lambda: [
            shown for shown in self.status().get("brokers", []) if shown["state"] == "up"])
        values = self.send_batch(0, "right")
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(self.discarded_by(), {"not_authorized": BATCH + 3})

    def test_later(self):
        """What was never sent is discarded, what may be in the log goes by on_ambiguous; then the
        sequence goes on where it was left."""
        self.run_with(RIGHT, ScriptedBroker({"t": 2}), more="on_ambiguous = at_most_once\n")
        values = self.send_batch(0, "first") + self.send_batch(0, "cut")
        self.wait_settled()
        self.set_password(WRONG)
        self.broker.script("t", 0, Step(appends=True, cuts=True))
        values += self.send_batch(0, "unknown")
        wait_for("it is refused", lambda: self.broker.refusals)
        self.send_batch(0, "more")
        self.send_batch(1)
        self.wait_settled()
        self.assertEqual(self.discarded_by(), {"ambiguous": BATCH, "not_authorized": 2 * BATCH})
        self.set_password(RIGHT)
        values += self.send_batch(0, "again")
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(self.log_of(1), [])

    def test_they_wait_without_a_deadline(self):
        self.run_with(WRONG, ScriptedBroker({"t": 1}), deadline="off")
        values = self.send_batch(0)
        wait_for("it is refused again and again", lambda: self.broker.refusals > 4)
        self.set_password(RIGHT)
        self.wait_settled()
        self.assertEqual(self.log_of(0), values)
        self.assertEqual(self.discarded_by(), {})

    def test_one_leader_of_two(self):
        """Messages of its partition are discarded; those that may go to another one do."""
        other = ScriptedBroker({"t": 2})
        broker = ScriptedBroker({"t": 2})
        broker.cluster = [broker, other]    # which leads partition 1
        self.run_with(RIGHT, broker, other)
        other.password = b"another"
        self.send_batch(1)
        flowing = self.send_batch(0)
        any_partition = [b"any %d" % i for i in range(2 * BATCH)]
        self.send_messages(encode("t", value) for value in any_partition)
        self.wait_discarded(BATCH)
        self.wait_refused(other)
        self.wait_settled()
        self.assertEqual(sorted(self.log_of(0)), sorted(flowing + any_partition))
        self.assertEqual(other.complaints, [])
