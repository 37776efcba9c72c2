// A golden file: what the bytes are, as comments, then the bytes in hex, sixteen a line, with what of them is text.

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

final class HexFile {
    private static final int BYTES_A_LINE = 16;

    private HexFile() {}

    static void write(Path path, String comment, ByteBuffer bytes) throws IOException {
        StringBuilder text = new StringBuilder();
        for (String line : comment.split("\n")) text.append("# ").append(line).append('\n');
        byte[] all = new byte[bytes.remaining()];
        bytes.duplicate().get(all);
        for (int at = 0; at < all.length; at += BYTES_A_LINE) appendLine(text, all, at);
        Files.writeString(path, text, StandardCharsets.UTF_8);
    }

    private static void appendLine(StringBuilder text, byte[] all, int at) {
        StringBuilder readable = new StringBuilder();
        for (int i = at; i < at + BYTES_A_LINE; ++i) {
            if (i >= all.length) {
                text.append("   ");
                continue;
            }
            text.append(String.format("%02x ", all[i] & 0xff));
            readable.append(all[i] > ' ' && all[i] <= '~' ? (char) all[i] : '.');
        }
        text.append(" # ").append(readable).append('\n');
    }
}
