"""What shares a request, and what a batch: counted in the requests that a scripted broker got."""

from scripted_test import Scripted, encode_keyed

TOPICS = ("t", "u", "v")
MESSAGES = 12
COMBINED = "".join("[topic:%s]\nbatching = combined\nbatch_time = 1h\nbatch_messages = %d\n"
                   % (topic, MESSAGES) for topic in TOPICS)


class Sharing(Scripted):
    def requests(self):
        return [event.partitions for event in self.broker.events if event.kind == "request"]

    def test_many_clients_messages_of_several_topics_go_in_one_request(self):
        broker = self.run_against(1, COMBINED)
        broker.topics.update(dict.fromkeys(TOPICS, 1))
        for rounds in (1, 2):
            values = [b"%d.%d" % (rounds, i) for i in range(MESSAGES)]
            for i, value in enumerate(values):
                self.send_messages([encode_keyed(TOPICS[i % len(TOPICS)], 0, value)])   # a client
            self.wait_settled()
            self.assertEqual(self.requests(), [frozenset((topic, 0) for topic in TOPICS)] * rounds)
            for i, topic in enumerate(TOPICS):
                self.assertEqual(broker.log[topic, 0][-MESSAGES // len(TOPICS):],
                                 values[i::len(TOPICS)])
                self.assertEqual(len(broker.seen[topic, 0]), rounds)

    def test_without_it_each_topic_has_its_own_limits(self):
        broker = self.run_against(1, COMBINED.replace("combined", "per_topic"))
        broker.topics.update(dict.fromkeys(TOPICS, 1))
        for topic in TOPICS:
            for i in range(MESSAGES):
                self.send_messages([encode_keyed(topic, 0, b"%d" % i)])
            self.wait_settled()
        self.assertEqual(self.requests(), [frozenset([(topic, 0)]) for topic in TOPICS])
        for topic in TOPICS:
            self.assertEqual(broker.log[topic, 0], [b"%d" % i for i in range(MESSAGES)])
