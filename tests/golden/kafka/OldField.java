// Sets a field that Kafka 4, against which all is compiled, has removed with the versions that had it.

final class OldField {
    private OldField() {}

    static <T> T set(T message, String setter, Class<?> type, Object value) {
        try {
            message.getClass().getMethod(setter, type).invoke(message, value);
            return message;
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }
}
