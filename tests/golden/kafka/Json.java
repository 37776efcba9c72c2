// A message as a reader sees it: Kafka's JSON of it, with what its version has and nothing else.

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.Method;
import org.apache.kafka.common.protocol.Message;

final class Json {
    private Json() {}

    static String of(Message message, short version) throws ReflectiveOperationException {
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        Method write = converter.getMethod("write", message.getClass(), short.class, boolean.class);
        JsonNode json = (JsonNode) write.invoke(null, message, version, false);
        return json.toString();
    }
}
