package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import org.junit.jupiter.api.Test;

/** The rules themselves: that they would find what they forbid. */
class ArchitectureRulesTest {
    @Test
    void aRestrictedMethodElsewhereIsFound() {
        var classes = new ClassFileImporter().importClasses(org.lmdebugger.outside.BreaksTheRules.class);
        var result = ArchitectureRules.RESTRICTED_METHODS_IN_BINDINGS_ONLY.evaluate(classes);
        assertThat(result.getFailureReport().getDetails()).hasSize(2);
    }

    @Test
    void aGeneratedClassElsewhereIsFound() {
        var classes = new ClassFileImporter().importClasses(org.lmdebugger.outside.BreaksTheRules.class);
        assertThat(ArchitectureRules.GENERATED_CLASSES_IN_BINDINGS_ONLY.evaluate(classes).hasViolation()).isTrue();
    }
}
