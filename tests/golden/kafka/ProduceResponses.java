// Responses to Produce: one partition in order, one refused with all that there is to say, one topic without any.

import java.util.List;
import org.apache.kafka.common.message.ProduceResponseData;

final class ProduceResponses {
    private ProduceResponses() {}

    static ProduceResponseData of(short version) {
        var response = new ProduceResponseData();
        var first = new ProduceResponseData.TopicProduceResponse();
        var second = new ProduceResponseData.TopicProduceResponse();
        if (version >= 13) {
            first.setTopicId(Requests.FIRST_ID);
            second.setTopicId(Requests.LONG_ID);
        } else {
            first.setName(Requests.FIRST_TOPIC);
            second.setName(Requests.LONG_TOPIC);
        }
        first.setPartitionResponses(List.of(refused(version), accepted(version)));
        response.responses().add(first);
        response.responses().add(second);
        if (version >= 1) response.setThrottleTimeMs(1500);
        if (version >= 10) {
            response.nodeEndpoints().add(endpoint(3, "leader.example", 9095, null));
            response.nodeEndpoints().add(endpoint(4, "::1", 9096, "rack"));
        }
        return response;
    }

    private static ProduceResponseData.PartitionProduceResponse accepted(short version) {
        var accepted = new ProduceResponseData.PartitionProduceResponse()
            .setIndex(0).setErrorCode((short) 0).setBaseOffset(0x0102030405060708L);
        if (version >= 2) accepted.setLogAppendTimeMs(1_700_000_000_000L);
        if (version >= 5) accepted.setLogStartOffset(42);
        return accepted;
    }

    private static ProduceResponseData.PartitionProduceResponse refused(short version) {
        var refused = new ProduceResponseData.PartitionProduceResponse()
            .setIndex(7).setErrorCode((short) 6).setBaseOffset(-1);
        if (version >= 8) refused.setRecordErrors(List.of(recordError(4, "bad timestamp"), recordError(6, null)));
        if (version >= 8) refused.setErrorMessage("not the leader");
        if (version >= 10) {
            refused.setCurrentLeader(new ProduceResponseData.LeaderIdAndEpoch().setLeaderId(3).setLeaderEpoch(9));
        }
        return refused;
    }

    private static ProduceResponseData.BatchIndexAndErrorMessage recordError(int index, String message) {
        return new ProduceResponseData.BatchIndexAndErrorMessage()
            .setBatchIndex(index).setBatchIndexErrorMessage(message);
    }

    private static ProduceResponseData.NodeEndpoint endpoint(int id, String host, int port, String rack) {
        return new ProduceResponseData.NodeEndpoint().setNodeId(id).setHost(host).setPort(port).setRack(rack);
    }
}
