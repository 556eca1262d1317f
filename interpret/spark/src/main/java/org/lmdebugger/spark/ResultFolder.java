package org.lmdebugger.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.app.store.ResultDirectory;

/**
 * A folder of results on any file system that Hadoop reads: {@code manifest.json}, and a Parquet file for each
 * group. A file gets its name when it is whole, and keeps it: if a group is computed twice, by a task that was taken for
 * dead or after a restart of the driver, the first file stays, and the other, of the same rows, is deleted.
 *
 * @param place         path or URI of the folder
 * @param configuration of the file system
 */
record ResultFolder(String place, SerializableConfiguration configuration) implements Serializable {
    private static final String UNFINISHED = ".unfinished-";

    /**
     * Makes the folder, or finds it as an interrupted driver left it.
     *
     * @param manifest all that the results depend on
     * @throws IllegalArgumentException if it holds results and {@code resume} is false, or results of something else
     */
    void begin(Map<String, Object> manifest, boolean resume) throws IOException {
        var file = new Path(place, Manifest.NAME);
        if (files().exists(file) && !resume) {
            throw new IllegalArgumentException(
                    place + ": holds results (expected: a new folder, or --resume to go on)");
        }
        files().mkdirs(new Path(place));
        for (var unfinished : files().globStatus(new Path(place, UNFINISHED + "*"))) {
            files().delete(unfinished.getPath(), false);
        }
        var text = Json.print(manifest).getBytes(StandardCharsets.UTF_8);
        var written = unfinished();
        try (var out = files().create(written)) {
            out.write(text);
        }
        publish(written, file);
        try (var in = files().open(file)) {
            Manifest.check(file, Json.tree(in.readAllBytes()), Json.tree(text));
        }
    }

    /** Returns the names of the files that are there whole. */
    Set<String> kept() throws IOException {
        return Arrays.stream(files().listStatus(new Path(place))).filter(FileStatus::isFile)
                .map(each -> each.getPath().getName()).collect(Collectors.toSet());
    }

    /** Copies the file of a group into the folder, unless one is there. */
    void keep(int group, java.nio.file.Path file) throws IOException {
        var written = unfinished();
        files().copyFromLocalFile(new Path(file.toUri()), written);
        publish(written, new Path(place, ResultDirectory.partName(group)));
    }

    private Path unfinished() {
        return new Path(place, UNFINISHED + UUID.randomUUID());
    }

    private void publish(Path written, Path file) throws IOException {
        if (!isFile(file) && (files().exists(file) || !files().rename(written, file)) && !isFile(file)) {
            throw new IOException(file + ": cannot be written (expected: a place for a file)");
        }
        files().delete(written, false);
    }

    private boolean isFile(Path path) throws IOException {
        try {
            return files().getFileStatus(path).isFile();
        } catch (FileNotFoundException none) {
            return false;
        }
    }

    private FileSystem files() throws IOException {
        var files = new Path(place).getFileSystem(configuration.value());
        files.setWriteChecksum(false); // a local folder would have a file of them beside each
        return files;
    }
}
