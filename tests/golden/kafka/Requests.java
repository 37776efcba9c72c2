// What the requests say. Kafka's classes refuse what a version does not have, so that fields that came later are set
// where they exist.

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiVersionsRequestData;
import org.apache.kafka.common.message.DescribeProducersRequestData;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ListOffsetsRequestData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.message.SaslHandshakeRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;

final class Requests {
    // "" for the one that every version has; else a word and a dot.
    record Named(String name, ApiMessage message) {}

    static final String FIRST_TOPIC = "first.topic";
    static final String LONG_TOPIC = "t".repeat(249);
    static final Uuid FIRST_ID = new Uuid(0x0011223344556677L, 0x8899aabbccddeeffL);
    static final Uuid LONG_ID = new Uuid(-2L, 0x0102030405060708L);
    static final int MOST = Integer.MAX_VALUE;

    private final RecordBytes records;

    Requests(RecordBytes records) {
        this.records = records;
    }

    List<Named> of(ApiKeys api, short version) {
        List<Named> all = new ArrayList<>();
        switch (api) {
            case PRODUCE -> all.add(new Named("", produce(version)));
            case FETCH -> all.add(new Named("", fetch(version)));
            case LIST_OFFSETS -> {
                all.add(new Named("", listOffsets(version)));
                all.add(new Named("empty.", new ListOffsetsRequestData().setReplicaId(-1)));
            }
            case METADATA -> {
                all.add(new Named("", metadata(version)));
                all.add(new Named("none.", metadataOfNone(version)));
            }
            case SASL_HANDSHAKE -> all.add(new Named("", new SaslHandshakeRequestData().setMechanism("SCRAM-SHA-256")));
            case API_VERSIONS -> all.add(new Named("", apiVersions(version)));
            case INIT_PRODUCER_ID -> {
                all.add(new Named("", initProducerId(version, 0x0123456789abcdefL, (short) 0x1234)));
                all.add(new Named("fresh.", initProducerId(version, -1, (short) -1)));
            }
            case SASL_AUTHENTICATE -> {
                all.add(new Named("", new SaslAuthenticateRequestData().setAuthBytes(token())));
                all.add(new Named("empty.", new SaslAuthenticateRequestData().setAuthBytes(new byte[0])));
            }
            case DESCRIBE_PRODUCERS -> all.add(new Named("", describeProducers()));
            default -> throw new IllegalArgumentException(api.name);
        }
        return all;
    }

    private static byte[] token() {
        byte[] token = new byte[200];
        for (int i = 0; i < token.length; ++i) token[i] = (byte) i;
        return token;
    }

    // Two topics, three partitions; the second batch is long enough for a length of two bytes in any form.
    private ProduceRequestData produce(short version) {
        String format = version >= 3 ? "v2" : version == 2 ? "v1" : "v0";
        var first = new ProduceRequestData.TopicProduceData();
        var second = new ProduceRequestData.TopicProduceData();
        if (version >= 13) {
            first.setTopicId(FIRST_ID);
            second.setTopicId(LONG_ID);
        } else {
            first.setName(FIRST_TOPIC);
            second.setName(LONG_TOPIC);
        }
        first.setPartitionData(List.of(
            produced(7, format + (version >= 3 ? ".one.none" : ".plain.none")), produced(0, format + ".plain.none")));
        String third = version >= 3 ? ".headers.none" : version == 2 ? ".plain.gzip" : ".plain.none";
        second.setPartitionData(List.of(produced(MOST, format + third)));
        var request = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(30000);
        request.topicData().add(first);
        request.topicData().add(second);
        return request;
    }

    private ProduceRequestData.PartitionProduceData produced(int partition, String name) {
        return records.set(new ProduceRequestData.PartitionProduceData().setIndex(partition), name);
    }

    private static MetadataRequestData metadata(short version) {
        return new MetadataRequestData()
            .setTopics(List.of(askFor("a"), askFor(FIRST_TOPIC), askFor(LONG_TOPIC)))
            .setAllowAutoTopicCreation(true);
    }

    private static MetadataRequestData.MetadataRequestTopic askFor(String name) {
        return new MetadataRequestData.MetadataRequestTopic().setName(name);
    }

    // An empty list: none; null would mean all.
    private static MetadataRequestData metadataOfNone(short version) {
        return new MetadataRequestData().setTopics(List.of()).setAllowAutoTopicCreation(version < 4);
    }

    private static ApiVersionsRequestData apiVersions(short version) {
        var request = new ApiVersionsRequestData();
        if (version >= 3) request.setClientSoftwareName("dory").setClientSoftwareVersion("1.2.3-golden");
        return request;
    }

    private static InitProducerIdRequestData initProducerId(short version, long id, short epoch) {
        var request = new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(MOST);
        if (version >= 3) request.setProducerId(id).setProducerEpoch(epoch);
        return request;
    }

    private static ListOffsetsRequestData listOffsets(short version) {
        var request = new ListOffsetsRequestData().setReplicaId(-1).setTopics(List.of(
            new ListOffsetsRequestData.ListOffsetsTopic().setName(FIRST_TOPIC)
                .setPartitions(List.of(offsetOf(7, -1, version), offsetOf(0, -2, version))),
            new ListOffsetsRequestData.ListOffsetsTopic().setName(LONG_TOPIC)
                .setPartitions(List.of(offsetOf(MOST, 1_700_000_000_000L, version)))));
        if (version >= 10) request.setTimeoutMs(30000);
        return request;
    }

    private static ListOffsetsRequestData.ListOffsetsPartition offsetOf(int partition, long timestamp, short version) {
        var asked = new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(partition).setTimestamp(timestamp);
        return version == 0 ? OldField.set(asked, "setMaxNumOffsets", int.class, 1) : asked;
    }

    private static FetchRequestData fetch(short version) {
        var first = new FetchRequestData.FetchTopic();
        var second = new FetchRequestData.FetchTopic();
        if (version >= 13) {
            first.setTopicId(FIRST_ID);
            second.setTopicId(LONG_ID);
        } else {
            first.setTopic(FIRST_TOPIC);
            second.setTopic(LONG_TOPIC);
        }
        first.setPartitions(List.of(fetched(7, 0x0102030405060708L, 1 << 20), fetched(0, 0, 1)));
        second.setPartitions(List.of(fetched(MOST, Long.MAX_VALUE, MOST)));
        var request = new FetchRequestData().setMaxWaitMs(500).setMinBytes(1).setTopics(List.of(first, second));
        if (version >= 3) request.setMaxBytes(1 << 20);
        return request;
    }

    private static FetchRequestData.FetchPartition fetched(int partition, long offset, int maxBytes) {
        return new FetchRequestData.FetchPartition()
            .setPartition(partition).setFetchOffset(offset).setPartitionMaxBytes(maxBytes);
    }

    private static DescribeProducersRequestData describeProducers() {
        return new DescribeProducersRequestData().setTopics(List.of(
            new DescribeProducersRequestData.TopicRequest().setName(FIRST_TOPIC).setPartitionIndexes(List.of(7, 0)),
            new DescribeProducersRequestData.TopicRequest().setName(LONG_TOPIC).setPartitionIndexes(List.of(MOST))));
    }
}
