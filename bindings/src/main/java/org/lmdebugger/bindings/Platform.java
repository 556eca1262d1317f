package org.lmdebugger.bindings;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The machines for which OpenBLAS is published as a jar, and the files in it, each before those that need it. */
enum Platform {
    LINUX_X86_64("linux-x86_64", List.of("libgcc_s.so.1", "libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0")),
    LINUX_ARM64("linux-arm64", List.of("libgcc_s.so.1", "libgfortran.so.5", "libopenblas.so.0")),
    MACOSX_X86_64("macosx-x86_64",
            List.of("libgcc_s.1.1.dylib", "libquadmath.0.dylib", "libgfortran.5.dylib", "libopenblas.0.dylib")),
    MACOSX_ARM64("macosx-arm64", List.of("libopenblas.0.dylib"));

    final String classifier;
    final List<String> openBlasFiles;

    Platform(String classifier, List<String> openBlasFiles) {
        this.classifier = classifier;
        this.openBlasFiles = openBlasFiles;
    }

    /**
     * Returns the platform of a machine.
     *
     * @throws NativeLibraryException if nothing is published for it
     */
    static Platform of(String osName, String osArch) {
        var os = osName.toLowerCase(Locale.ROOT).startsWith("mac") ? "macosx" : osName.toLowerCase(Locale.ROOT);
        var arch = switch (osArch) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "arm64";
            default -> osArch;
        };
        return Stream.of(values()).filter(p -> p.classifier.equals(os + "-" + arch)).findFirst()
                .orElseThrow(() -> new NativeLibraryException("platform: %s-%s (expected: one of %s)".formatted(os,
                        arch, Stream.of(values()).map(p -> p.classifier).collect(Collectors.joining(", "))), null));
    }

    static Platform current() {
        return of(System.getProperty("os.name"), System.getProperty("os.arch"));
    }
}
