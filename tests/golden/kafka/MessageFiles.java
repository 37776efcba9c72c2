// Writes messages/: a request and a response of every api in every version that the Kafka of the class path has,
// as they go over the wire, by Kafka's own generated classes.
//
//     MessageFiles FOLDER RECORDS       RECORDS: the folder that RecordFiles wrote
//
// It is compiled against Kafka 4 and runs on Kafka 3, too, where it uses nothing that came later.

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.utils.AppInfoParser;

public final class MessageFiles {
    private static final int CORRELATION_ID = 0x01020304;
    private static final String CLIENT_ID = "golden.client";
    private static final int WIDTH = 110;
    private static final ApiKeys[] APIS = {
        ApiKeys.PRODUCE, ApiKeys.FETCH, ApiKeys.LIST_OFFSETS, ApiKeys.METADATA, ApiKeys.SASL_HANDSHAKE,
        ApiKeys.API_VERSIONS, ApiKeys.INIT_PRODUCER_ID, ApiKeys.SASL_AUTHENTICATE, ApiKeys.DESCRIBE_PRODUCERS};

    private final Path folder;
    private final RecordBytes records;

    private MessageFiles(Path folder, RecordBytes records) {
        this.folder = folder;
        this.records = records;
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder);
        MessageFiles files = new MessageFiles(folder, new RecordBytes(Path.of(arguments[1])));
        for (ApiKeys api : APIS) {
            for (short version = oldest(api); version <= api.latestVersion(false); ++version) files.write(api, version);
        }
    }

    // Of the messages themselves: what brokers offer may begin later.
    private static short oldest(ApiKeys api) {
        return api.messageType.lowestSupportedVersion();
    }

    private void write(ApiKeys api, short version) throws Exception {
        for (Requests.Named request : new Requests(records).of(api, version)) {
            writeRequest(api, version, request.name(), request.message());
        }
        for (Requests.Named response : new Responses(records).of(api, version)) {
            writeResponse(api, version, response.name(), response.message());
        }
        for (Requests.Named response : LeastResponses.of(api, version)) {
            writeResponse(api, version, response.name(), response.message());
        }
    }

    private void writeRequest(ApiKeys api, short version, String name, ApiMessage body) throws Exception {
        RequestHeaderData header = new RequestHeaderData()
            .setRequestApiKey(api.id).setRequestApiVersion(version)
            .setCorrelationId(CORRELATION_ID).setClientId(CLIENT_ID);
        writeFile(api, version, name + "request", join(header, api.requestHeaderVersion(version), body, version),
                  Json.of(body, version));
    }

    // One named "refused" has the shape of version 0, as ApiVersions' has; "least" has no tagged fields.
    private void writeResponse(ApiKeys api, short version, String name, ApiMessage body) throws Exception {
        short shape = name.startsWith("refused") ? 0 : version;
        short headerVersion = api.responseHeaderVersion(version);
        ResponseHeaderData header = new ResponseHeaderData().setCorrelationId(CORRELATION_ID);
        boolean tagged = !name.startsWith("least");
        if (tagged && headerVersion >= 1) UnknownTags.add(header);
        if (tagged && isFlexible(api, shape)) UnknownTags.add(body);
        String json = Json.of(body, shape);
        if (!tagged) json = json.substring(0, Math.min(json.length(), WIDTH)) + "...";  // all elements are the same
        writeFile(api, version, name + "response", join(header, headerVersion, body, shape), json);
    }

    private static boolean isFlexible(ApiKeys api, short version) {
        return api.requestHeaderVersion(version) >= 2;
    }

    // size:4 | header | body
    private static ByteBuffer join(Message header, short headerVersion, Message body, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = header.size(cache, headerVersion) + body.size(cache, version);
        ByteBuffer out = ByteBuffer.allocate(4 + size);
        out.putInt(size);
        ByteBufferAccessor accessor = new ByteBufferAccessor(out);
        header.write(accessor, cache, headerVersion);
        body.write(accessor, cache, version);
        if (out.hasRemaining()) throw new IllegalStateException(out.remaining() + " bytes less than their size");
        return out.flip();
    }

    private void writeFile(ApiKeys api, short version, String kind, ByteBuffer bytes, String json) throws IOException {
        String comment = api.name + " version " + version + ", " + kind + ", by kafka-clients "
            + AppInfoParser.getVersion() + "\n" + wrap(json);
        String name = api.name().toLowerCase(Locale.ROOT) + ".v" + version + "." + kind + ".hex";
        HexFile.write(folder.resolve(name), comment, bytes);
    }

    // Broken behind commas where there are any.
    private static String wrap(String json) {
        StringBuilder lines = new StringBuilder();
        for (int at = 0; at < json.length();) {
            int end = Math.min(json.length(), at + WIDTH);
            int comma = json.lastIndexOf(',', end - 1);
            if (end < json.length() && comma > at) end = comma + 1;
            lines.append(json, at, end).append('\n');
            at = end;
        }
        return lines.toString();
    }
}
