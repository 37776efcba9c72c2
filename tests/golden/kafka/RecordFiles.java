// Writes records/: batches of format 2 and message sets of formats 0 and 1, by the classes that Kafka's producer and
// broker have for them in Kafka 3.
//
// A set is the same three or four records in each codec; what a compressed one holds is equal, its bytes are
// the codec library's.

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.SimpleRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.AppInfoParser;

public final class RecordFiles {
    private static final long BASE_TIMESTAMP = 1_700_000_000_000L;
    private static final long PRODUCER_ID = 0x0123456789abcdefL;
    private static final short PRODUCER_EPOCH = 0x1234;
    private static final int BASE_SEQUENCE = 0x01020304;
    private static final Header[] NO_HEADERS = {};
    private static final Header[] HEADERS = {
        new RecordHeader("name", bytes("value")), new RecordHeader("null", null), new RecordHeader("", new byte[0])};

    private final Path folder;

    private RecordFiles(Path folder) {
        this.folder = folder;
    }

    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder);
        new RecordFiles(folder).writeAll();
    }

    private void writeAll() throws IOException {
        for (CompressionType codec : CompressionType.values()) {
            writeSet((byte) 2, codec, "plain", plainRecords());
            if (codec == CompressionType.ZSTD) continue;  // which formats 0 and 1 do not know
            writeSet((byte) 0, codec, "plain", plainRecords());
            writeSet((byte) 1, codec, "plain", plainRecords());
        }
        writeSet((byte) 2, CompressionType.NONE, "headers", recordsWithHeaders());
        writeSet((byte) 2, CompressionType.GZIP, "headers", recordsWithHeaders());
        writeSet((byte) 2, CompressionType.NONE, "one", new SimpleRecord[] {plainRecords()[0]});
        writeNotIdempotent();
    }

    // Null, empty and full keys and values; the second is older than the first, the third newer by a day.
    private static SimpleRecord[] plainRecords() {
        return new SimpleRecord[] {
            record(0, bytes("key"), bytes("a value, a value, a value"), NO_HEADERS),
            record(-1500, null, new byte[0], NO_HEADERS),
            record(86_400_000, new byte[0], null, NO_HEADERS),
            record(1, bytes("k".repeat(70)), bytes("v".repeat(300)), NO_HEADERS)};
    }

    private static SimpleRecord[] recordsWithHeaders() {
        return new SimpleRecord[] {
            record(0, bytes("key"), bytes("value"), HEADERS),
            record(-64, null, bytes("no header"), NO_HEADERS),
            record(64, bytes("key"), null, new Header[] {new RecordHeader("caf\u00e9", bytes("x".repeat(100)))})};
    }

    private static SimpleRecord record(long delta, byte[] key, byte[] value, Header[] headers) {
        return new SimpleRecord(BASE_TIMESTAMP + delta, key, value, headers);
    }

    private void writeSet(byte format, CompressionType codec, String content, SimpleRecord[] records) throws IOException {
        boolean idempotent = format == 2;
        MemoryRecordsBuilder builder = MemoryRecords.builder(
            ByteBuffer.allocate(4096), format, compressionOf(codec), TimestampType.CREATE_TIME, 0L,
            RecordBatch.NO_TIMESTAMP, idempotent ? PRODUCER_ID : RecordBatch.NO_PRODUCER_ID,
            idempotent ? PRODUCER_EPOCH : RecordBatch.NO_PRODUCER_EPOCH,
            idempotent ? BASE_SEQUENCE : RecordBatch.NO_SEQUENCE);
        write("v" + format + "." + content + "." + codec.name, builder, records);
    }

    private void writeNotIdempotent() throws IOException {
        MemoryRecordsBuilder builder = MemoryRecords.builder(
            ByteBuffer.allocate(4096), RecordBatch.MAGIC_VALUE_V2, Compression.NONE, TimestampType.CREATE_TIME, 0L);
        write("v2.not-idempotent.none", builder, plainRecords());
    }

    private void write(String name, MemoryRecordsBuilder builder, SimpleRecord[] records) throws IOException {
        StringBuilder comment = new StringBuilder("Records " + name + ", by kafka-clients " + AppInfoParser.getVersion());
        for (SimpleRecord record : records) {
            builder.append(record);
            comment.append('\n').append(record.timestamp() - BASE_TIMESTAMP).append(" ms: key ")
                .append(textOf(record.key())).append(", value ").append(textOf(record.value()));
            for (Header header : record.headers()) {
                comment.append(", header ").append(textOf(bytes(header.key()))).append(" = ")
                    .append(textOf(header.value() == null ? null : ByteBuffer.wrap(header.value())));
            }
        }
        HexFile.write(folder.resolve(name + ".hex"), comment.toString(), builder.build().buffer());
    }

    private static Compression compressionOf(CompressionType codec) {
        return Compression.of(codec).build();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String textOf(byte[] bytes) {
        return textOf(ByteBuffer.wrap(bytes));
    }

    private static String textOf(ByteBuffer bytes) {
        if (bytes == null) return "null";
        String text = StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
        return text.length() > 40 ? text.length() + " bytes \"" + text.charAt(0) + "...\"" : '"' + text + '"';
    }
}
