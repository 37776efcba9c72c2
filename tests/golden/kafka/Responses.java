// What the responses say: every field that the version has, at a value that is not its default where it can be.

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.message.DescribeProducersResponseData;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.message.ListOffsetsResponseData;
import org.apache.kafka.common.message.SaslAuthenticateResponseData;
import org.apache.kafka.common.message.SaslHandshakeResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;

final class Responses {
    private static final long OFFSET = 0x0102030405060708L;
    private static final long TIMESTAMP = 1_700_000_000_000L;
    private static final int THROTTLE_MS = 1500;

    private final FetchResponses fetch;

    Responses(RecordBytes records) {
        this.fetch = new FetchResponses(records);
    }

    List<Requests.Named> of(ApiKeys api, short version) {
        List<Requests.Named> all = new ArrayList<>();
        switch (api) {
            case PRODUCE -> all.add(named("", ProduceResponses.of(version)));
            case FETCH -> all.add(named("", fetch.of(version)));
            case LIST_OFFSETS -> {
                all.add(named("", listOffsets(version)));
                all.add(named("empty.", new ListOffsetsResponseData()));
            }
            case METADATA -> all.add(named("", MetadataResponses.of(version)));
            case SASL_HANDSHAKE -> all.add(named("", new SaslHandshakeResponseData()
                .setErrorCode((short) 33).setMechanisms(List.of("PLAIN", "SCRAM-SHA-512", ""))));
            case API_VERSIONS -> {
                all.add(named("", apiVersions(version)));
                if (version > 0) all.add(named("refused.", refusal()));
            }
            case INIT_PRODUCER_ID -> all.add(named("", new InitProducerIdResponseData()
                .setThrottleTimeMs(THROTTLE_MS).setErrorCode((short) 14).setProducerId(OFFSET)
                .setProducerEpoch((short) 0x1234)));
            case SASL_AUTHENTICATE -> {
                all.add(named("", saslAuthenticate(version, "Authentication failed: \u00fc", new byte[] {0, 1, (byte) 255})));
                all.add(named("empty.", saslAuthenticate(version, null, new byte[0])));
            }
            case DESCRIBE_PRODUCERS -> all.add(named("", describeProducers()));
            default -> throw new IllegalArgumentException(api.name);
        }
        return all;
    }

    private static Requests.Named named(String name, ApiMessage message) {
        return new Requests.Named(name, message);
    }

    private static ApiVersionsResponseData apiVersions(short version) {
        var response = new ApiVersionsResponseData().setErrorCode((short) 0);
        for (int[] row : new int[][] {{0, 3, 13}, {3, 0, 13}, {18, 0, 4}, {22, 0, 5}, {32767, 1, 32767}}) {
            response.apiKeys().add(row(row[0], row[1], row[2]));
        }
        if (version >= 1) response.setThrottleTimeMs(THROTTLE_MS);
        if (version < 3) return response;
        response.supportedFeatures().add(new ApiVersionsResponseData.SupportedFeatureKey()
            .setName("metadata.version").setMinVersion((short) 1).setMaxVersion((short) 29));
        response.finalizedFeatures().add(new ApiVersionsResponseData.FinalizedFeatureKey()
            .setName("metadata.version").setMinVersionLevel((short) 1).setMaxVersionLevel((short) 25));
        return response.setFinalizedFeaturesEpoch(77).setZkMigrationReady(true);
    }

    // To a version that the broker does not know: in the shape of version 0, with the range of ApiVersions alone.
    private static ApiVersionsResponseData refusal() {
        var response = new ApiVersionsResponseData().setErrorCode((short) 35);
        response.apiKeys().add(row(18, 0, 2));
        return response;
    }

    private static ApiVersionsResponseData.ApiVersion row(int api, int lowest, int highest) {
        return new ApiVersionsResponseData.ApiVersion()
            .setApiKey((short) api).setMinVersion((short) lowest).setMaxVersion((short) highest);
    }

    private static SaslAuthenticateResponseData saslAuthenticate(short version, String message, byte[] token) {
        var response = new SaslAuthenticateResponseData()
            .setErrorCode((short) (message == null ? 0 : 58)).setErrorMessage(message).setAuthBytes(token);
        if (version >= 1) response.setSessionLifetimeMs(3_600_000L);
        return response;
    }

    private static ListOffsetsResponseData listOffsets(short version) {
        var response = new ListOffsetsResponseData().setTopics(List.of(
            new ListOffsetsResponseData.ListOffsetsTopicResponse().setName(Requests.FIRST_TOPIC)
                .setPartitions(List.of(offsetOf(7, 0, version), offsetOf(0, 6, version))),
            new ListOffsetsResponseData.ListOffsetsTopicResponse().setName(Requests.LONG_TOPIC)
                .setPartitions(List.of(offsetOf(Requests.MOST, 0, version)))));
        if (version >= 2) response.setThrottleTimeMs(THROTTLE_MS);
        return response;
    }

    private static ListOffsetsResponseData.ListOffsetsPartitionResponse offsetOf(int partition, int error, short version) {
        var found = new ListOffsetsResponseData.ListOffsetsPartitionResponse()
            .setPartitionIndex(partition).setErrorCode((short) error);
        if (version == 0) {
            List<Long> offsets = error == 0 ? List.of(OFFSET, 0L) : List.of();
            return OldField.set(found, "setOldStyleOffsets", List.class, offsets);
        }
        if (error != 0) return found;
        if (version >= 4) found.setLeaderEpoch(9);
        return found.setTimestamp(TIMESTAMP).setOffset(OFFSET);
    }

    private static DescribeProducersResponseData describeProducers() {
        var live = new DescribeProducersResponseData.ProducerState().setProducerId(OFFSET).setProducerEpoch(0x1234)
            .setLastSequence(0x01020304).setLastTimestamp(TIMESTAMP).setCoordinatorEpoch(5)
            .setCurrentTxnStartOffset(41);
        var other = new DescribeProducersResponseData.ProducerState().setProducerId(1).setProducerEpoch(0)
            .setLastSequence(Requests.MOST).setLastTimestamp(-1);
        return new DescribeProducersResponseData().setThrottleTimeMs(THROTTLE_MS).setTopics(List.of(
            new DescribeProducersResponseData.TopicResponse().setName(Requests.FIRST_TOPIC).setPartitions(List.of(
                described(7, 0, null).setActiveProducers(List.of(live, other)), described(0, 0, ""))),
            new DescribeProducersResponseData.TopicResponse().setName(Requests.LONG_TOPIC).setPartitions(List.of(
                described(Requests.MOST, 29, "not authorized")))));
    }

    private static DescribeProducersResponseData.PartitionResponse described(int partition, int error, String message) {
        return new DescribeProducersResponseData.PartitionResponse()
            .setPartitionIndex(partition).setErrorCode((short) error).setErrorMessage(message);
    }
}
