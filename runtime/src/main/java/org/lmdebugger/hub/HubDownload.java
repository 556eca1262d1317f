package org.lmdebugger.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.Weights;
import org.lmdebugger.hub.HubClient.Refused;
import org.lmdebugger.hub.HubClient.RemoteFile;
import org.lmdebugger.model.Gpt2Config;

/**
 * A download of a model into the Hugging Face cache, in the layout of huggingface_hub: contents in {@code blobs}, named
 * by their checksum, and links to them in {@code snapshots}. Interrupted downloads are kept as {@code .incomplete} and
 * resumed, in this run or the next; a file gets its name only after its checksum has been verified.
 */
final class HubDownload {
    /** Files of the tokenizer and of generation; a model has some of them. */
    private static final List<String> SIDE_FILES = List.of("generation_config.json", "tokenizer_config.json",
            "special_tokens_map.json", "added_tokens.json", "tokenizer.json", "vocab.json", "merges.txt");
    private static final int FRUITLESS_TRIES = 4; // tries in a row without a new byte
    private static final Duration FIRST_PAUSE = Duration.ofMillis(250); // before the second of them, then doubled

    private final HubClient client;
    private final HubCache cache;
    private final DownloadProgress progress;

    HubDownload(HubClient client, HubCache cache, DownloadProgress progress) {
        this.client = client;
        this.cache = cache;
        this.progress = progress;
    }

    /**
     * Downloads the files of a model that are not cached yet. The configuration comes first, so that a model that is no
     * GPT-2 is refused before its weights are downloaded.
     *
     * @param revision a branch, a tag or a commit
     * @throws Refused               if the Hub has no such model, or access to it is denied
     * @throws InvalidModelException if it is no GPT-2, or has no weights in a supported format
     */
    Path model(String id, String revision) throws IOException {
        synchronized (HubDownload.class) { // one at a time in this process: file locks exclude other processes only
            return fetchAll(id, revision);
        }
    }

    private Path fetchAll(String id, String revision) throws IOException {
        var config = client.ask(id, revision, "config.json");
        var commit = config.revision(); // all files are of this one
        var snapshot = cache.snapshot(id, commit);
        fetch(id, config, "config.json");
        Gpt2Config.read(snapshot.resolve("config.json"));
        for (var file : SIDE_FILES) {
            fetchIfThere(id, commit, file);
        }
        fetchWeights(id, commit, snapshot);
        var missing = HubCache.missing(snapshot);
        if (missing.isPresent()) {
            throw new InvalidModelException(
                    "model: %s: %s (expected: all of a GPT-2 with model.safetensors or pytorch_model.bin)"
                            .formatted(HubCache.name(id, revision), missing.get()));
        }
        cache.remember(id, revision, commit);
        return snapshot;
    }

    private void fetchWeights(String id, String commit, Path snapshot) throws IOException {
        for (var file : Weights.NAMES) {
            if (fetchIfThere(id, commit, file)) {
                for (var shard : file.endsWith(".json") ? Weights.shards(snapshot.resolve(file)) : List.<String>of()) {
                    fetch(id, client.ask(id, commit, shard), shard);
                }
                return;
            }
        }
    }

    private boolean fetchIfThere(String id, String revision, String file) throws IOException {
        try {
            fetch(id, client.ask(id, revision, file), file);
            return true;
        } catch (Refused none) {
            if (none.status() != 404) {
                throw none;
            }
            return false;
        }
    }

    private void fetch(String id, RemoteFile remote, String file) throws IOException {
        var blob = Files.createDirectories(cache.folder(id).resolve("blobs")).resolve(remote.checksum());
        if (!Files.exists(blob)) {
            fetch(remote, file, blob);
        }
        var link = cache.snapshot(id, remote.revision()).resolve(file);
        if (!Files.exists(link)) {
            Files.createDirectories(link.getParent());
            Files.deleteIfExists(link); // it may be a broken link
            try {
                Files.createSymbolicLink(link, Path.of("../../blobs").resolve(blob.getFileName()));
            } catch (FileAlreadyExistsException good) {
                // another process has made it
            }
        }
    }

    private void fetch(RemoteFile remote, String file, Path blob) throws IOException {
        var incomplete = blob.resolveSibling(blob.getFileName() + ".incomplete");
        try (var channel = FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                var _ = channel.lock()) { // another process may have finished it meanwhile
            if (Files.exists(blob)) {
                return;
            }
            checkSpace(channel, remote, file, Objects.requireNonNull(blob.getParent()));
            fill(channel, remote, file);
            channel.force(true);
            var checksum = remote.checksum().length() == 64 ? Digests.sha256(incomplete) : Digests.gitBlob(incomplete);
            if (!checksum.equals(remote.checksum())) {
                Files.delete(incomplete);
                throw new IOException("%s: checksum %s (expected: %s; it is deleted, fetch it again)"
                        .formatted(remote.location(), checksum, remote.checksum()));
            }
            Files.move(incomplete, blob, StandardCopyOption.ATOMIC_MOVE);
        }
    }

    private static void checkSpace(FileChannel channel, RemoteFile remote, String file, Path folder)
            throws IOException {
        long free = Files.getFileStore(folder).getUsableSpace();
        if (remote.size() - channel.size() > free) {
            throw new IOException("%s: %,d bytes (expected: at most the %,d that are free in %s)"
                    .formatted(file, remote.size(), free, folder));
        }
    }

    /** Downloads to the end. Retries after errors, and fails after {@value #FRUITLESS_TRIES} tries without a byte. */
    private void fill(FileChannel channel, RemoteFile remote, String file) throws IOException {
        if (channel.size() > remote.size()) {
            channel.truncate(0);
        }
        int fruitless = 0;
        Optional<IOException> last = Optional.empty();
        while (channel.size() < remote.size()) {
            long before = channel.size();
            try {
                append(channel, remote, file);
            } catch (Refused refused) {
                throw refused;
            } catch (IOException broken) {
                last = Optional.of(broken);
            }
            fruitless = channel.size() > before ? 0 : fruitless + 1;
            if (fruitless == FRUITLESS_TRIES || !pause(fruitless)) {
                throw new IOException("%s: broken off at %d of %d bytes (start again to go on from there)"
                        .formatted(remote.location(), channel.size(), remote.size()), last.orElse(null));
            }
        }
        progress.report(file, remote.size(), remote.size());
    }

    /** Waits before the next try, longer after each fruitless one. Returns false if it is interrupted. */
    private static boolean pause(int fruitless) {
        try {
            Thread.sleep(fruitless == 0 ? Duration.ZERO : FIRST_PAUSE.multipliedBy(1L << fruitless - 1));
            return true;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void append(FileChannel channel, RemoteFile remote, String file) throws IOException {
        try (var response = client.open(remote, channel.size());
                var body = Channels.newChannel(response.getEntity().getContent())) {
            if (response.getCode() != 206) {
                channel.truncate(0); // a server without ranges sends everything
            }
            channel.position(channel.size());
            var buffer = ByteBuffer.allocate(1 << 16);
            while (channel.size() < remote.size() && body.read(buffer) >= 0) {
                buffer.flip().limit((int) Math.min(buffer.limit(), remote.size() - channel.size()));
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                buffer.clear();
                progress.report(file, channel.size(), remote.size());
            }
        }
    }
}
