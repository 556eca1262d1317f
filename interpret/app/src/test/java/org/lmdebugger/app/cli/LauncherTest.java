package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code ./lmdebug} in the environments that people have. */
@EnabledOnOs(OS.LINUX)
@Tag("slow")
class LauncherTest {
    /** Arguments, file names and contents that are not ASCII; the names that Java has to write here are. */
    private static final String SWEEP = """
            printf 'ein Mädchen\\n' > wörter.txt
            ./lmdebug sweep "Ein größerer Bär — 小熊 🐻" --prompts wörter.txt --neurons L0-1D0-99 --memory 1 --measure kl \\
                --measure top:2 --out größe/ > table
            ls größe >> table
            cat größe/manifest.json >> table
            """;

    @TempDir
    private Path folder;

    /** A copy of the script in each folder, with what it would have built: this test's class path. */
    private Path install(String name) throws Exception {
        var home = folder.resolve(name);
        var target = Files.createDirectories(home.resolve("interpret/app/target/lib")).getParent();
        Files.copy(Path.of("../../lmdebug"), home.resolve("lmdebug"));
        var manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        var entries = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator));
        manifest.getMainAttributes().put(Attributes.Name.CLASS_PATH,
                entries.map(entry -> Path.of(entry).toUri().toString()).collect(Collectors.joining(" ")));
        new JarOutputStream(new FileOutputStream(target.resolve("lib/all.jar").toFile()), manifest).close();
        for (var sources : List.of("bindings/src/main", "interpret/app/src/main", "native/cpu", "native/cuda",
                "native/include")) {
            Files.createDirectories(home.resolve(sources));
        }
        for (var source : List.of("pom.xml", "bindings/pom.xml", "interpret/app/pom.xml", "native/build",
                "native/CMakeLists.txt")) {
            Files.createFile(home.resolve(source));
        }
        Files.createFile(target.resolve("built")); // after all sources
        return home;
    }

    /** Runs {@code script} with these variables, and those that lead to the JDK and the commands. */
    private static Process start(Path home, String script, String... variables) throws Exception {
        Files.writeString(home.resolve("script"), script);
        var builder = new ProcessBuilder("bash", "-e", "script").directory(home.toFile())
                .redirectOutput(home.resolve("out").toFile()).redirectError(home.resolve("err").toFile());
        builder.environment().clear();
        builder.environment().put("PATH", System.getenv("PATH"));
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        for (var variable : variables) {
            builder.environment().put(variable.split("=", 2)[0], variable.split("=", 2)[1]);
        }
        return builder.start();
    }

    @Test
    void theSameBytesComeOutWhateverTheLocale() throws Exception {
        var environments = Map.of("utf8", new String[] {"LC_ALL=C.UTF-8"},
                "c", new String[] {"LC_ALL=C", "JDK_JAVA_OPTIONS=-Duser.language=fa -Duser.country=IR"},
                "posix", new String[] {"LANG=POSIX", "JDK_JAVA_OPTIONS=-Duser.language=de -Duser.country=DE"},
                "none", new String[] {"JDK_JAVA_OPTIONS=-Duser.language=tr -Duser.country=TR"});
        var running = new HashMap<Path, Process>();
        for (var environment : environments.entrySet()) {
            var home = install(environment.getKey());
            running.put(home, start(home, SWEEP, environment.getValue()));
        }
        for (var each : running.entrySet()) {
            assertThat(each.getValue().waitFor()).as("%s", Files.readString(each.getKey().resolve("err"))).isZero();
        }
        assertThat(folder.resolve("utf8/table")).content()
                .contains("L0D", "part-000000.parquet", "Ein größerer Bär — 小熊 🐻", "ein Mädchen");
        for (var home : running.keySet()) {
            assertThat(home.resolve("table")).hasSameBinaryContentAs(folder.resolve("utf8/table"));
        }
    }

    @Test
    void argumentsThatTheJvmCannotReadAreRefused() throws Exception {
        var home = install("latin1");
        var latin1 = start(home, "./lmdebug trace $'gr\\xf6\\xdfer'");
        assertThat(latin1.waitFor()).isEqualTo(2);
        assertThat(home.resolve("err")).content().contains("lmdebug: arguments: not UTF-8");
        var withoutScript = start(home, "$JAVA_HOME/bin/java -cp interpret/app/target/lib/all.jar "
                + Main.class.getName() + " trace größer", "LC_ALL=C");
        assertThat(withoutScript.waitFor()).isEqualTo(2);
        assertThat(home.resolve("err")).content().contains("lmdebug: arguments: not UTF-8, or read as ANSI_X3.4-1968");
    }

    @Test
    void standardErrorHasWhatTheProgramSaysAlone() throws Exception {
        var home = install("errors");
        assertThat(start(home, "./lmdebug devices").waitFor()).isZero();
        assertThat(home.resolve("err")).isEmptyFile();
        assertThat(start(home, "./lmdebug trace Once --device x").waitFor()).isEqualTo(1);
        assertThat(home.resolve("err")).content().startsWith("lmdebug: device: x ").hasLineCount(1);
        assertThat(start(home, "./lmdebug devices 2>&-").waitFor()).isZero();
        assertThat(home.resolve("err")).isEmptyFile();
    }

    @Test
    void anErrorOfTheJvmsStartIsShown() throws Exception {
        var home = install("start");
        start(home, "./lmdebug devices || :; sleep 1", "JDK_JAVA_OPTIONS=-XX:NoSuchFlag").waitFor();
        assertThat(home.resolve("err")).content().contains("NoSuchFlag");
    }
}
