// What RecordFiles wrote, as the records of a message. Kafka 4 has their classes in another package than Kafka 3:
// found by name.

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

final class RecordBytes {
    private static final String PACKAGE = "org.apache.kafka.common.record.";

    private final Path folder;

    RecordBytes(Path folder) {
        this.folder = folder;
    }

    // Calls message.setRecords with those of the files, one behind the other; returns the message.
    <T> T set(T message, String... names) {
        try {
            Object records = find("MemoryRecords").getMethod("readableRecords", ByteBuffer.class)
                .invoke(null, ByteBuffer.wrap(read(names)));
            Method set = message.getClass().getMethod("setRecords", find("BaseRecords"));
            set.invoke(message, records);
            return message;
        } catch (ReflectiveOperationException | IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Class<?> find(String name) throws ClassNotFoundException {
        try {
            return Class.forName(PACKAGE + "internal." + name);
        } catch (ClassNotFoundException old) {
            return Class.forName(PACKAGE + name);
        }
    }

    private byte[] read(String[] names) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (String name : names) {
            for (String line : Files.readAllLines(folder.resolve(name + ".hex"))) {
                for (String pair : line.replaceFirst("#.*", "").split("\\s+")) {
                    if (!pair.isEmpty()) bytes.write(Integer.parseInt(pair, 16));
                }
            }
        }
        return bytes.toByteArray();
    }
}
