package org.lmdebugger.interpret;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.ArchitectureRules;

class ArchitectureTest {
    @Test
    void rulesHoldInEveryModuleOnThisClassPath() {
        var classes = new ClassFileImporter().importPackages("org.lmdebugger.interpret", "org.lmdebugger.device", "org.lmdebugger.model",
                "org.lmdebugger.tokenizer");
        ArchitectureRules.RESTRICTED_METHODS_IN_BINDINGS_ONLY.check(classes);
        ArchitectureRules.GENERATED_CLASSES_IN_BINDINGS_ONLY.check(classes);
    }
}
