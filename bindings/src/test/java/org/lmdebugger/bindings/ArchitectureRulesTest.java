package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.bindings.ArchitectureRules.DEVICES_FOUND_AS_SERVICES;
import static org.lmdebugger.bindings.ArchitectureRules.GENERATED_CLASSES_IN_BINDINGS_ONLY;
import static org.lmdebugger.bindings.ArchitectureRules.PACKAGES_WITHOUT_CYCLES;
import static org.lmdebugger.bindings.ArchitectureRules.RESTRICTED_METHODS_IN_BINDINGS_ONLY;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.lmdebugger.device.cpu.AnyDevice;
import org.lmdebugger.outside.BreaksTheRules;
import org.lmdebugger.outside.first.First;
import org.lmdebugger.outside.second.Second;

/** Breaches of each rule, which the rule finds. */
class ArchitectureRulesTest {
    private static List<String> breaches(ArchRule rule, Class<?>... classes) {
        return rule.evaluate(new ClassFileImporter().importClasses(classes)).getFailureReport().getDetails();
    }

    @Test
    void aRestrictedMethodElsewhereIsFound() {
        assertThat(breaches(RESTRICTED_METHODS_IN_BINDINGS_ONLY, BreaksTheRules.class)).satisfiesExactlyInAnyOrder(
                load -> assertThat(load).contains("System.loadLibrary"),
                reinterpret -> assertThat(reinterpret).contains("MemorySegment.reinterpret"));
        assertThat(breaches(RESTRICTED_METHODS_IN_BINDINGS_ONLY, NativeLibraries.class)).isEmpty();
    }

    @Test
    void aGeneratedClassElsewhereIsFound() {
        assertThat(breaches(GENERATED_CLASSES_IN_BINDINGS_ONLY, BreaksTheRules.class))
                .singleElement().asString().contains("CBlas.openblas_set_num_threads");
        assertThat(breaches(GENERATED_CLASSES_IN_BINDINGS_ONLY, OpenBlas.class)).isEmpty();
    }

    @Test
    void aCycleOfPackagesIsFound() {
        assertThat(breaches(PACKAGES_WITHOUT_CYCLES, First.class, Second.class))
                .singleElement().asString().contains("Slice outside.first", "Slice outside.second");
        assertThat(breaches(PACKAGES_WITHOUT_CYCLES, First.class)).isEmpty();
    }

    @Test
    void aDeviceImportedByNameIsFound() {
        assertThat(breaches(DEVICES_FOUND_AS_SERVICES, BreaksTheRules.class))
                .singleElement().asString().contains("AnyDevice.<init>");
        assertThat(breaches(DEVICES_FOUND_AS_SERVICES, AnyDevice.class)).isEmpty();
    }
}
