// What franz-go finds in topics: each record as a line of JSON, from the begin of every partition to
// where it ended when we came.
//
//	franz_judge BOOTSTRAP KAFKA_VERSION TOPIC...
//
// KAFKA_VERSION matters before 0.10, when brokers could not say what they speak. Bytes are base64, what
// is null is null; timestamp_ms is null where the format has none; codec is that of the batch, or of the
// message around it.
//
// Errors: whatever franz-go can't read ends the run with status 1, after what it could.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const limit = 60 * time.Second

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

type found struct {
	Topic       string      `json:"topic"`
	Partition   int32       `json:"partition"`
	Offset      int64       `json:"offset"`
	TimestampMs *int64      `json:"timestamp_ms"`
	Key         []byte      `json:"key"`
	Value       []byte      `json:"value"`
	Headers     [][2][]byte `json:"headers"`
	Codec       string      `json:"codec"`
}

// place is a partition.
type place struct {
	topic     string
	partition int32
}

func main() {
	if len(os.Args) < 4 {
		fail("usage: franz_judge BOOTSTRAP KAFKA_VERSION TOPIC...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	options := append(spoken(os.Args[2]), kgo.SeedBrokers(strings.Split(os.Args[1], ",")...))
	asker, err := kgo.NewClient(options...)
	check(err)
	ends := findEnds(ctx, asker, os.Args[3:])
	asker.Close()
	read(ctx, options, ends)
}

// spoken is what has to be said of brokers that can't say it.
func spoken(version string) []kgo.Opt {
	switch {
	case strings.HasPrefix(version, "0.8."):
		return []kgo.Opt{kgo.MaxVersions(kversion.V0_8_2())}
	case strings.HasPrefix(version, "0.9."):
		return []kgo.Opt{kgo.MaxVersions(kversion.V0_9_0())}
	}
	return nil
}

// findEnds asks for the end of each partition of the topics.
func findEnds(ctx context.Context, client *kgo.Client, topics []string) map[place]int64 {
	ask := kmsg.NewPtrListOffsetsRequest()
	ask.ReplicaID = -1
	for _, topic := range findPartitions(ctx, client, topics) {
		ask.Topics = append(ask.Topics, topic)
	}
	answer, err := ask.RequestWith(ctx, client)
	check(err)
	ends := map[place]int64{}
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			check(kerr.ErrorForCode(p.ErrorCode))
			end := p.Offset
			if len(p.OldStyleOffsets) > 0 { // of version 0
				end = p.OldStyleOffsets[0]
			}
			ends[place{topic.Topic, p.Partition}] = end
		}
	}
	return ends
}

// findPartitions makes the question for the ends of them all.
func findPartitions(ctx context.Context, client *kgo.Client, topics []string) []kmsg.ListOffsetsRequestTopic {
	ask := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = kmsg.StringPtr(topic)
		ask.Topics = append(ask.Topics, one)
	}
	answer, err := ask.RequestWith(ctx, client)
	check(err)
	var questions []kmsg.ListOffsetsRequestTopic
	for _, topic := range answer.Topics {
		check(kerr.ErrorForCode(topic.ErrorCode))
		question := kmsg.NewListOffsetsRequestTopic()
		question.Topic = *topic.Topic
		for _, p := range topic.Partitions {
			one := kmsg.NewListOffsetsRequestTopicPartition()
			one.Partition, one.Timestamp, one.MaxNumOffsets = p.Partition, -1, 1
			question.Partitions = append(question.Partitions, one)
		}
		questions = append(questions, question)
	}
	return questions
}

// read prints all that is before the ends.
func read(ctx context.Context, options []kgo.Opt, ends map[place]int64) {
	from := map[string]map[int32]kgo.Offset{}
	for where, end := range ends {
		if end == 0 {
			delete(ends, where)
			continue
		}
		if from[where.topic] == nil {
			from[where.topic] = map[int32]kgo.Offset{}
		}
		from[where.topic][where.partition] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(append(options, kgo.ConsumePartitions(from))...)
	check(err)
	defer client.Close()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines := json.NewEncoder(out); len(ends) > 0; {
		fetches := client.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) { check(lines.Encode(show(r))) })
		fetches.EachRecord(func(r *kgo.Record) {
			if where := (place{r.Topic, r.Partition}); r.Offset+1 >= ends[where] {
				delete(ends, where)
			}
		})
		fetches.EachError(func(topic string, partition int32, err error) {
			out.Flush()
			fail("%s, partition %d: %v; not read to the end: %v", topic, partition, err, ends)
		})
	}
}

func show(r *kgo.Record) found {
	line := found{r.Topic, r.Partition, r.Offset, nil, r.Key, r.Value, [][2][]byte{},
		codecs[r.Attrs.CompressionType()]}
	if r.Attrs.TimestampType() >= 0 {
		ms := r.Timestamp.UnixMilli()
		line.TimestampMs = &ms
	}
	for _, header := range r.Headers {
		line.Headers = append(line.Headers, [2][]byte{[]byte(header.Key), header.Value})
	}
	return line
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "franz_judge: "+format+"\n", values...)
	os.Exit(1)
}
