// Responses to Metadata: two brokers, a topic with and one without a leader, one that is missing, one without a name.

import java.util.List;
import org.apache.kafka.common.message.MetadataResponseData;

final class MetadataResponses {
    private MetadataResponses() {}

    static MetadataResponseData of(short version) {
        var response = new MetadataResponseData();
        response.brokers().add(broker(0, "host.example", version >= 1 ? "rack" : null));
        response.brokers().add(broker(1, "::1", null));
        if (version >= 1) response.setControllerId(1);
        if (version >= 2) response.setClusterId("golden-cluster");
        if (version >= 3) response.setThrottleTimeMs(1500);
        if (version >= 8 && version <= 10) response.setClusterAuthorizedOperations(264);
        if (version >= 13) response.setErrorCode((short) 129);
        response.topics().add(topic(Requests.FIRST_TOPIC, 0, version).setPartitions(
            List.of(partition(2, 1, 0, version), partition(0, -1, 5, version), partition(1, 0, 0, version))));
        response.topics().add(topic(Requests.LONG_TOPIC, 3, version));
        var internal = topic("__internal", 0, version).setPartitions(List.of(partition(0, 1, 0, version)));
        if (version >= 1) internal.setIsInternal(true);
        response.topics().add(internal);
        if (version >= 12) response.topics().add(topic(null, 100, version));
        return response;
    }

    private static MetadataResponseData.MetadataResponseBroker broker(int id, String host, String rack) {
        return new MetadataResponseData.MetadataResponseBroker()
            .setNodeId(id).setHost(host).setPort(9092 + id).setRack(rack);
    }

    private static MetadataResponseData.MetadataResponseTopic topic(String name, int error, short version) {
        var topic = new MetadataResponseData.MetadataResponseTopic().setName(name).setErrorCode((short) error);
        if (version >= 8) topic.setTopicAuthorizedOperations(264);
        if (version >= 10) topic.setTopicId(error == 0 ? Requests.FIRST_ID : Requests.LONG_ID);
        return topic;
    }

    private static MetadataResponseData.MetadataResponsePartition partition(int index, int leader, int error, short version) {
        var partition = new MetadataResponseData.MetadataResponsePartition()
            .setPartitionIndex(index).setLeaderId(leader).setErrorCode((short) error)
            .setReplicaNodes(List.of(0, 1, 2)).setIsrNodes(List.of(1));
        if (version >= 5) partition.setOfflineReplicas(List.of(2, 0));
        if (version >= 7) partition.setLeaderEpoch(40 + index);
        return partition;
    }
}
