// Every error code of Kafka 4.3, what it says about the log, and what a batch that got it does next.
//
// Names, and which errors are retriable and which of these call for new metadata, are Kafka's own
// (the protocol guide's list of error codes; `retriable` and `invalid metadata` as its Java client
// groups them). What we do is ours: codes that a Produce answer is expected to carry have a row of
// their own making, all others go by one rule: retriable ones are retried with the outcome unknown, the
// rest is discarded under its name. UNKNOWN_SERVER_ERROR, and codes that a later Kafka may have, can
// come after an append (doc/decisions/0006-server-errors-are-unknown.md).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dory::kafka::protocol {

namespace error {

inline constexpr int16_t kUnknownServerError = -1;
inline constexpr int16_t kNone = 0;
inline constexpr int16_t kOffsetOutOfRange = 1;
inline constexpr int16_t kUnknownTopicOrPartition = 3;
inline constexpr int16_t kLeaderNotAvailable = 5;
inline constexpr int16_t kNotLeaderOrFollower = 6;
inline constexpr int16_t kRequestTimedOut = 7;
inline constexpr int16_t kMessageTooLarge = 10;
inline constexpr int16_t kInvalidTopic = 17;
inline constexpr int16_t kNotEnoughReplicas = 19;
inline constexpr int16_t kNotEnoughReplicasAfterAppend = 20;
inline constexpr int16_t kTopicAuthorizationFailed = 29;
inline constexpr int16_t kUnsupportedVersion = 35;
inline constexpr int16_t kOutOfOrderSequenceNumber = 45;
inline constexpr int16_t kDuplicateSequenceNumber = 46;
inline constexpr int16_t kInvalidProducerEpoch = 47;
inline constexpr int16_t kUnknownProducerId = 59;
inline constexpr int16_t kFencedLeaderEpoch = 74;
inline constexpr int16_t kUnsupportedCompressionType = 76;
inline constexpr int16_t kRebootstrapRequired = 129;

}  // namespace error

// Are the batch's records in the log?
enum class InLog : uint8_t {
  kYes,
  kUnknown,   // sets the batch's unknown outcome, which only an acknowledgement clears
  kNoChange,  // this attempt wrote nothing: what earlier attempts left unknown stays so
};

enum class Action : uint8_t {
  kDelivered,
  kRetry,             // the same batch again after a back-off, this partition only
  kRetryBackoffOnly,  // so, and nothing else can help
  kServerError,       // so; after a deadline the record that is the cause is sought and discarded
  kSplit,             // too large: halve the window; a single record is discarded
  kRefuseRecords,     // the named records are discarded, else halve until the one is found
  kNoSequences,       // the topic's message format has none: without them; a batch that has none: kRefuseRecords
  kAuthorization,     // wait with back-off; discard after a deadline where there is one
  kSequence,          // see JudgeSequenceError()
  kFenced,            // someone uses our producer id: get a new one
  kRenegotiate,       // ask ApiVersions again
  kDiscard,
};

struct ErrorCode {
  int16_t code;
  std::string_view name;
  InLog in_log;
  Action action;
  bool refresh_metadata;  // before the next attempt
};

// By code, without gaps. OUT_OF_ORDER_SEQUENCE_NUMBER and UNKNOWN_PRODUCER_ID have the worst case.
inline constexpr std::array kErrorCodes = {
    ErrorCode{-1, "UNKNOWN_SERVER_ERROR", InLog::kUnknown, Action::kServerError, false},
    ErrorCode{0, "NONE", InLog::kYes, Action::kDelivered, false},
    ErrorCode{1, "OFFSET_OUT_OF_RANGE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{2, "CORRUPT_MESSAGE", InLog::kNoChange, Action::kRefuseRecords, false},
    ErrorCode{3, "UNKNOWN_TOPIC_OR_PARTITION", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{4, "INVALID_FETCH_SIZE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{5, "LEADER_NOT_AVAILABLE", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{6, "NOT_LEADER_OR_FOLLOWER", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{7, "REQUEST_TIMED_OUT", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{8, "BROKER_NOT_AVAILABLE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{9, "REPLICA_NOT_AVAILABLE", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{10, "MESSAGE_TOO_LARGE", InLog::kNoChange, Action::kSplit, false},
    ErrorCode{11, "STALE_CONTROLLER_EPOCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{12, "OFFSET_METADATA_TOO_LARGE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{13, "NETWORK_EXCEPTION", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{14, "COORDINATOR_LOAD_IN_PROGRESS", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{15, "COORDINATOR_NOT_AVAILABLE", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{16, "NOT_COORDINATOR", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{17, "INVALID_TOPIC_EXCEPTION", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{18, "RECORD_LIST_TOO_LARGE", InLog::kNoChange, Action::kSplit, false},
    ErrorCode{19, "NOT_ENOUGH_REPLICAS", InLog::kNoChange, Action::kRetryBackoffOnly, false},
    ErrorCode{20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{21, "INVALID_REQUIRED_ACKS", InLog::kNoChange, Action::kRefuseRecords, false},
    ErrorCode{22, "ILLEGAL_GENERATION", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{23, "INCONSISTENT_GROUP_PROTOCOL", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{24, "INVALID_GROUP_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{25, "UNKNOWN_MEMBER_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{26, "INVALID_SESSION_TIMEOUT", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{27, "REBALANCE_IN_PROGRESS", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{28, "INVALID_COMMIT_OFFSET_SIZE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{29, "TOPIC_AUTHORIZATION_FAILED", InLog::kNoChange, Action::kAuthorization, false},
    ErrorCode{30, "GROUP_AUTHORIZATION_FAILED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{31, "CLUSTER_AUTHORIZATION_FAILED", InLog::kNoChange, Action::kAuthorization, false},
    ErrorCode{32, "INVALID_TIMESTAMP", InLog::kNoChange, Action::kRefuseRecords, false},
    ErrorCode{33, "UNSUPPORTED_SASL_MECHANISM", InLog::kNoChange, Action::kAuthorization, false},
    ErrorCode{34, "ILLEGAL_SASL_STATE", InLog::kNoChange, Action::kAuthorization, false},
    ErrorCode{35, "UNSUPPORTED_VERSION", InLog::kNoChange, Action::kRenegotiate, false},
    ErrorCode{36, "TOPIC_ALREADY_EXISTS", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{37, "INVALID_PARTITIONS", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{38, "INVALID_REPLICATION_FACTOR", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{39, "INVALID_REPLICA_ASSIGNMENT", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{40, "INVALID_CONFIG", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{41, "NOT_CONTROLLER", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{42, "INVALID_REQUEST", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", InLog::kNoChange, Action::kNoSequences, false},
    ErrorCode{44, "POLICY_VIOLATION", InLog::kNoChange, Action::kRefuseRecords, false},
    ErrorCode{45, "OUT_OF_ORDER_SEQUENCE_NUMBER", InLog::kUnknown, Action::kSequence, false},
    ErrorCode{46, "DUPLICATE_SEQUENCE_NUMBER", InLog::kYes, Action::kDelivered, false},
    ErrorCode{47, "INVALID_PRODUCER_EPOCH", InLog::kNoChange, Action::kFenced, false},
    ErrorCode{48, "INVALID_TXN_STATE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{49, "INVALID_PRODUCER_ID_MAPPING", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{50, "INVALID_TRANSACTION_TIMEOUT", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{51, "CONCURRENT_TRANSACTIONS", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{52, "TRANSACTION_COORDINATOR_FENCED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{54, "SECURITY_DISABLED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{55, "OPERATION_NOT_ATTEMPTED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{56, "KAFKA_STORAGE_ERROR", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{57, "LOG_DIR_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{58, "SASL_AUTHENTICATION_FAILED", InLog::kNoChange, Action::kAuthorization, false},
    ErrorCode{59, "UNKNOWN_PRODUCER_ID", InLog::kUnknown, Action::kSequence, false},
    ErrorCode{60, "REASSIGNMENT_IN_PROGRESS", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{61, "DELEGATION_TOKEN_AUTH_DISABLED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{62, "DELEGATION_TOKEN_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{63, "DELEGATION_TOKEN_OWNER_MISMATCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{66, "DELEGATION_TOKEN_EXPIRED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{67, "INVALID_PRINCIPAL_TYPE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{68, "NON_EMPTY_GROUP", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{69, "GROUP_ID_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{70, "FETCH_SESSION_ID_NOT_FOUND", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{71, "INVALID_FETCH_SESSION_EPOCH", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{72, "LISTENER_NOT_FOUND", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{73, "TOPIC_DELETION_DISABLED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{74, "FENCED_LEADER_EPOCH", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{75, "UNKNOWN_LEADER_EPOCH", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{76, "UNSUPPORTED_COMPRESSION_TYPE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{77, "STALE_BROKER_EPOCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{78, "OFFSET_NOT_AVAILABLE", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{79, "MEMBER_ID_REQUIRED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{80, "PREFERRED_LEADER_NOT_AVAILABLE", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{81, "GROUP_MAX_SIZE_REACHED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{82, "FENCED_INSTANCE_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{84, "ELECTION_NOT_NEEDED", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{85, "NO_REASSIGNMENT_IN_PROGRESS", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{86, "GROUP_SUBSCRIBED_TO_TOPIC", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{87, "INVALID_RECORD", InLog::kNoChange, Action::kRefuseRecords, false},
    ErrorCode{88, "UNSTABLE_OFFSET_COMMIT", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{89, "THROTTLING_QUOTA_EXCEEDED", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{90, "PRODUCER_FENCED", InLog::kNoChange, Action::kFenced, false},
    ErrorCode{91, "RESOURCE_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{92, "DUPLICATE_RESOURCE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{93, "UNACCEPTABLE_CREDENTIAL", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{94, "INCONSISTENT_VOTER_SET", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{95, "INVALID_UPDATE_VERSION", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{96, "FEATURE_UPDATE_FAILED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{97, "PRINCIPAL_DESERIALIZATION_FAILURE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{98, "SNAPSHOT_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{99, "POSITION_OUT_OF_RANGE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{100, "UNKNOWN_TOPIC_ID", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{101, "DUPLICATE_BROKER_REGISTRATION", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{102, "BROKER_ID_NOT_REGISTERED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{103, "INCONSISTENT_TOPIC_ID", InLog::kUnknown, Action::kRetry, true},
    ErrorCode{104, "INCONSISTENT_CLUSTER_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{105, "TRANSACTIONAL_ID_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{106, "FETCH_SESSION_TOPIC_ID_ERROR", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{107, "INELIGIBLE_REPLICA", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{108, "NEW_LEADER_ELECTED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{109, "OFFSET_MOVED_TO_TIERED_STORAGE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{110, "FENCED_MEMBER_EPOCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{111, "UNRELEASED_INSTANCE_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{112, "UNSUPPORTED_ASSIGNOR", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{113, "STALE_MEMBER_EPOCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{114, "MISMATCHED_ENDPOINT_TYPE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{115, "UNSUPPORTED_ENDPOINT_TYPE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{116, "UNKNOWN_CONTROLLER_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{117, "UNKNOWN_SUBSCRIPTION_ID", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{118, "TELEMETRY_TOO_LARGE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{119, "INVALID_REGISTRATION", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{120, "TRANSACTION_ABORTABLE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{121, "INVALID_RECORD_STATE", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{122, "SHARE_SESSION_NOT_FOUND", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{123, "INVALID_SHARE_SESSION_EPOCH", InLog::kUnknown, Action::kRetry, false},
    ErrorCode{124, "FENCED_STATE_EPOCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{125, "INVALID_VOTER_KEY", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{126, "DUPLICATE_VOTER", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{127, "VOTER_NOT_FOUND", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{128, "INVALID_REGULAR_EXPRESSION", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{129, "REBOOTSTRAP_REQUIRED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{130, "STREAMS_INVALID_TOPOLOGY", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{131, "STREAMS_INVALID_TOPOLOGY_EPOCH", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{132, "STREAMS_TOPOLOGY_FENCED", InLog::kNoChange, Action::kDiscard, false},
    ErrorCode{133, "SHARE_SESSION_LIMIT_REACHED", InLog::kUnknown, Action::kRetry, false},
};

// What an answer with a code from after this table means: as UNKNOWN_SERVER_ERROR does.
inline constexpr ErrorCode kUnlistedErrorCode = {-1, "UNLISTED_ERROR_CODE", InLog::kUnknown,
                                                 Action::kServerError, false};

constexpr const ErrorCode& FindErrorCode(int16_t code) {
  const auto index = static_cast<size_t>(code - kErrorCodes.front().code);
  return index < kErrorCodes.size() ? kErrorCodes[index] : kUnlistedErrorCode;
}

// What OUT_OF_ORDER_SEQUENCE_NUMBER (45) and UNKNOWN_PRODUCER_ID (59) say about the log. A first
// attempt wrote nothing. A re-send that met 45 wrote nothing either where InitProducerId 3 is offered
// (Kafka 2.5); before that the broker may have had the batch, and forgotten the producer.
constexpr InLog JudgeSequenceError(int16_t code, bool first_attempt, bool offers_init_producer_id_3) {
  const bool sure_on_resend = code == error::kOutOfOrderSequenceNumber && offers_init_producer_id_3;
  return first_attempt || sure_on_resend ? InLog::kNoChange : InLog::kUnknown;
}

}  // namespace dory::kafka::protocol
