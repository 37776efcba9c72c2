// Gives a message, and every structure inside it that says anything, two tagged fields that nobody knows.

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.RawTaggedField;

final class UnknownTags {
    private UnknownTags() {}

    static void add(Message message) throws ReflectiveOperationException {
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) continue;
            field.setAccessible(true);
            addInside(field.get(message));
        }
        message.unknownTaggedFields().add(new RawTaggedField(1000, "unknown".getBytes(StandardCharsets.US_ASCII)));
        message.unknownTaggedFields().add(new RawTaggedField(70000, new byte[0]));
    }

    // A structure that is a tagged field itself is not written while it is as it was made.
    private static boolean isDefault(Object value) throws ReflectiveOperationException {
        return value.equals(value.getClass().getDeclaredConstructor().newInstance());
    }

    private static void addInside(Object value) throws ReflectiveOperationException {
        if (value instanceof Message && !isDefault(value)) add((Message) value);
        if (!(value instanceof Collection)) return;
        for (Object element : (Collection<?>) value) addInside(element);
    }
}
