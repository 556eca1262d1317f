package org.lmdebugger.interpret;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.ArchitectureRules;

class ArchitectureTest {
    @Test
    void rulesHoldInEveryModuleOnThisClassPath() {
        var classes = new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                .withImportOption(location -> !location.contains("-tests.jar")).importPackages("org.lmdebugger");
        ArchitectureRules.RESTRICTED_METHODS_IN_BINDINGS_ONLY.check(classes);
        ArchitectureRules.GENERATED_CLASSES_IN_BINDINGS_ONLY.check(classes);
        ArchitectureRules.PACKAGES_WITHOUT_CYCLES.check(classes);
        ArchitectureRules.DEVICES_FOUND_AS_SERVICES.check(classes);
    }
}
