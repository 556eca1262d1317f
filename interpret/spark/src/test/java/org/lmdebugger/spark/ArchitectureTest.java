package org.lmdebugger.spark;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.ArchitectureRules;

class ArchitectureTest {
    @Test
    void rulesHoldInThisModule() {
        var classes = new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("org.lmdebugger.spark");
        ArchitectureRules.RESTRICTED_METHODS_IN_BINDINGS_ONLY.check(classes);
        ArchitectureRules.GENERATED_CLASSES_IN_BINDINGS_ONLY.check(classes);
        ArchitectureRules.DEVICES_FOUND_AS_SERVICES.check(classes);
    }
}
