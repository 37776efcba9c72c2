// Responses with one array of elements that have as few bytes as they can, and little behind it: a decoder that holds
// counts against what is left must know no larger least size.

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.message.DescribeProducersResponseData;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.ListOffsetsResponseData;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.message.SaslHandshakeResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;

final class LeastResponses {
    private static final int COUNT = 20;

    private LeastResponses() {}

    static List<Requests.Named> of(ApiKeys api, short version) {
        List<Requests.Named> all = new ArrayList<>();
        switch (api) {
            case PRODUCE -> addProduce(version, all);
            case FETCH -> addFetch(version, all);
            case LIST_OFFSETS -> addListOffsets(all);
            case METADATA -> addMetadata(all);
            case SASL_HANDSHAKE -> add("mechanisms", new SaslHandshakeResponseData().setMechanisms(many(() -> "")), all);
            case API_VERSIONS -> addApiVersions(all);
            case DESCRIBE_PRODUCERS -> addDescribeProducers(all);
            default -> { }
        }
        return all;
    }

    private static void add(String array, ApiMessage message, List<Requests.Named> all) {
        all.add(new Requests.Named("least." + array + ".", message));
    }

    private static <T> List<T> many(Supplier<T> make) {
        List<T> all = new ArrayList<>();
        for (int i = 0; i < COUNT; ++i) all.add(make.get());
        return all;
    }

    private static void addProduce(short version, List<Requests.Named> all) {
        var topics = new ProduceResponseData();
        topics.responses().addAll(many(ProduceResponseData.TopicProduceResponse::new));
        add("topics", topics, all);
        add("partitions", produced(many(ProduceResponseData.PartitionProduceResponse::new)), all);
        if (version >= 8) {
            add("record_errors", produced(List.of(new ProduceResponseData.PartitionProduceResponse()
                .setRecordErrors(many(ProduceResponseData.BatchIndexAndErrorMessage::new)))), all);
        }
        if (version >= 10) {
            var endpoints = new ProduceResponseData();
            for (int i = 0; i < COUNT; ++i) {  // Kafka's class has each number once
                endpoints.nodeEndpoints().add(new ProduceResponseData.NodeEndpoint().setNodeId(i));
            }
            add("endpoints", endpoints, all);
        }
    }

    private static ProduceResponseData produced(List<ProduceResponseData.PartitionProduceResponse> partitions) {
        var response = new ProduceResponseData();
        response.responses().add(new ProduceResponseData.TopicProduceResponse().setPartitionResponses(partitions));
        return response;
    }

    private static void addFetch(short version, List<Requests.Named> all) {
        add("topics", new FetchResponseData()
            .setResponses(many(FetchResponseData.FetchableTopicResponse::new)), all);
        add("partitions", fetched(many(FetchResponseData.PartitionData::new)), all);
        if (version >= 4) {
            add("aborted", fetched(List.of(new FetchResponseData.PartitionData()
                .setAbortedTransactions(many(FetchResponseData.AbortedTransaction::new)))), all);
        }
    }

    private static FetchResponseData fetched(List<FetchResponseData.PartitionData> partitions) {
        return new FetchResponseData().setResponses(List.of(
            new FetchResponseData.FetchableTopicResponse().setPartitions(partitions)));
    }

    private static void addListOffsets(List<Requests.Named> all) {
        add("topics", new ListOffsetsResponseData()
            .setTopics(many(ListOffsetsResponseData.ListOffsetsTopicResponse::new)), all);
        add("partitions", new ListOffsetsResponseData().setTopics(List.of(
            new ListOffsetsResponseData.ListOffsetsTopicResponse()
                .setPartitions(many(ListOffsetsResponseData.ListOffsetsPartitionResponse::new)))), all);
    }

    private static void addMetadata(List<Requests.Named> all) {
        var brokers = new MetadataResponseData();
        var topics = new MetadataResponseData();
        for (int i = 0; i < COUNT; ++i) {
            brokers.brokers().add(new MetadataResponseData.MetadataResponseBroker().setNodeId(i));
            topics.topics().add(new MetadataResponseData.MetadataResponseTopic().setName(""));
        }
        var partitions = new MetadataResponseData();
        partitions.topics().add(new MetadataResponseData.MetadataResponseTopic().setName("")
            .setPartitions(many(MetadataResponseData.MetadataResponsePartition::new)));
        add("brokers", brokers, all);
        add("topics", topics, all);
        add("partitions", partitions, all);
    }

    private static void addApiVersions(List<Requests.Named> all) {
        var response = new ApiVersionsResponseData();
        for (int i = 0; i < COUNT; ++i) {
            response.apiKeys().add(new ApiVersionsResponseData.ApiVersion().setApiKey((short) i));
        }
        add("apis", response, all);
    }

    private static void addDescribeProducers(List<Requests.Named> all) {
        add("topics", new DescribeProducersResponseData()
            .setTopics(many(DescribeProducersResponseData.TopicResponse::new)), all);
        add("partitions", described(many(DescribeProducersResponseData.PartitionResponse::new)), all);
        add("producers", described(List.of(new DescribeProducersResponseData.PartitionResponse()
            .setActiveProducers(many(DescribeProducersResponseData.ProducerState::new)))), all);
    }

    private static DescribeProducersResponseData described(
            List<DescribeProducersResponseData.PartitionResponse> partitions) {
        return new DescribeProducersResponseData().setTopics(List.of(
            new DescribeProducersResponseData.TopicResponse().setPartitions(partitions)));
    }
}
