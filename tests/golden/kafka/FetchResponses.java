// Responses to Fetch: a partition with records, one that is empty, one that refuses.

import java.util.List;
import org.apache.kafka.common.message.FetchResponseData;

final class FetchResponses {
    private final RecordBytes records;

    FetchResponses(RecordBytes records) {
        this.records = records;
    }

    FetchResponseData of(short version) {
        var first = new FetchResponseData.FetchableTopicResponse();
        var second = new FetchResponseData.FetchableTopicResponse();
        if (version >= 13) {
            first.setTopicId(Requests.FIRST_ID);
            second.setTopicId(Requests.LONG_ID);
        } else {
            first.setTopic(Requests.FIRST_TOPIC);
            second.setTopic(Requests.LONG_TOPIC);
        }
        first.setPartitions(List.of(full(version), partition(0, 0, version)));
        var refusing = partition(Requests.MOST, 6, version);
        if (version >= 12) {
            refusing.setCurrentLeader(new FetchResponseData.LeaderIdAndEpoch().setLeaderId(3).setLeaderEpoch(9));
            refusing.setDivergingEpoch(new FetchResponseData.EpochEndOffset().setEpoch(8).setEndOffset(1000));
            refusing.setSnapshotId(new FetchResponseData.SnapshotId().setEpoch(7).setEndOffset(900));
        }
        second.setPartitions(List.of(refusing));
        var response = new FetchResponseData().setResponses(List.of(first, second));
        if (version >= 1) response.setThrottleTimeMs(1500);
        if (version >= 7) response.setSessionId(0x0a0b0c0d).setErrorCode((short) 0);
        if (version >= 16) {
            response.nodeEndpoints().add(new FetchResponseData.NodeEndpoint()
                .setNodeId(3).setHost("leader.example").setPort(9095).setRack("rack"));
        }
        return response;
    }

    // The records that brokers of that version have.
    private FetchResponseData.PartitionData full(short version) {
        var full = partition(7, 0, version);
        if (version >= 4) {
            full.setAbortedTransactions(List.of(new FetchResponseData.AbortedTransaction()
                .setProducerId(11).setFirstOffset(12)));
            return records.set(full, "v2.plain.none", "v2.headers.none");
        }
        return records.set(full, version >= 2 ? "v1.plain.none" : "v0.plain.none");
    }

    private FetchResponseData.PartitionData partition(int index, int error, short version) {
        var partition = new FetchResponseData.PartitionData()
            .setPartitionIndex(index).setErrorCode((short) error).setHighWatermark(0x0102030405060708L);
        if (version >= 4) partition.setLastStableOffset(77).setAbortedTransactions(null);
        if (version >= 5) partition.setLogStartOffset(42);
        if (version >= 11) partition.setPreferredReadReplica(2);
        return records.set(partition);
    }
}
