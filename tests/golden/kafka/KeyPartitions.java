// Writes partitions/murmur2.txt: to which partition the producer of Kafka's Java client sends a key.

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

public final class KeyPartitions {
    private static final int[] PARTITIONS = {1, 2, 7, 12, 100, 32768};
    private static final int LONGEST = 21;  // every rest of a division by 4, several times

    private KeyPartitions() {}

    public static void main(String[] arguments) throws IOException {
        StringBuilder text = new StringBuilder("# key in hex, number of partitions, the key's partition; by kafka-clients\n");
        for (byte[] key : keys()) {
            for (int count : PARTITIONS) {
                text.append(hex(key)).append(' ').append(count).append(' ')
                    .append(BuiltInPartitioner.partitionForKey(key, count)).append('\n');
            }
        }
        Files.writeString(Path.of(arguments[0]), text, StandardCharsets.US_ASCII);
    }

    private static List<byte[]> keys() {
        List<byte[]> keys = new ArrayList<>();
        for (int size = 0; size <= LONGEST; ++size) {
            byte[] key = new byte[size];  // with bytes that Java takes for negative
            for (int i = 0; i < size; ++i) key[i] = (byte) (size * 31 + i * 89);
            keys.add(key);
        }
        for (String text : List.of("key", "0", "42", "user-4711", "caf\u00e9", "a.topic_key-" + "k".repeat(200))) {
            keys.add(text.getBytes(StandardCharsets.UTF_8));
        }
        keys.add(new byte[] {-1, -1, -1, -1, -1});
        keys.add(new byte[] {0, 0, 0, 0});
        return keys;
    }

    private static String hex(byte[] key) {
        if (key.length == 0) return "-";
        StringBuilder text = new StringBuilder();
        for (byte one : key) text.append(String.format("%02x", one & 0xff));
        return text.toString();
    }
}
