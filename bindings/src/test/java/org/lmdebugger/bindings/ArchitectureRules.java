package org.lmdebugger.bindings;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.lang.ArchRule;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.Set;

/** Rules for every module; each applies them to its own classes in a test. */
public final class ArchitectureRules {
    private static final Set<String> RESTRICTED = Set.of(
            System.class.getName() + ".load", System.class.getName() + ".loadLibrary",
            Runtime.class.getName() + ".load", Runtime.class.getName() + ".loadLibrary",
            SymbolLookup.class.getName() + ".libraryLookup", MemorySegment.class.getName() + ".reinterpret",
            Linker.class.getName() + ".downcallHandle", Linker.class.getName() + ".upcallStub",
            AddressLayout.class.getName() + ".withTargetLayout");

    /** A mistake in native code takes the JVM with it, so only the module made for it may make one. */
    public static final ArchRule RESTRICTED_METHODS_IN_BINDINGS_ONLY = noClasses()
            .that().resideOutsideOfPackage("org.lmdebugger.bindings..")
            .should().callMethodWhere(new DescribedPredicate<JavaCall<?>>("it is a restricted method of the JDK") {
                @Override
                public boolean test(JavaCall<?> call) {
                    return RESTRICTED.contains(call.getTargetOwner().getName() + "." + call.getTarget().getName());
                }
            }).allowEmptyShould(true);

    /** Generated classes check nothing; the facades beside them do. */
    public static final ArchRule GENERATED_CLASSES_IN_BINDINGS_ONLY = noClasses()
            .that().resideOutsideOfPackage("org.lmdebugger.bindings..")
            .should().dependOnClassesThat().resideInAPackage("org.lmdebugger.bindings.*..").allowEmptyShould(true);

    /** A package can be read, tested and moved without those that use it. */
    public static final ArchRule PACKAGES_WITHOUT_CYCLES = slices().matching("org.lmdebugger.(**)")
            .should().beFreeOfCycles().allowEmptyShould(true);

    /** Devices are reached through their interface, so that a program for one is a program for all. */
    public static final ArchRule DEVICES_FOUND_AS_SERVICES = noClasses()
            .that().resideOutsideOfPackage("org.lmdebugger.device..")
            .should().dependOnClassesThat()
            .resideInAnyPackage("org.lmdebugger.device.cpu..", "org.lmdebugger.device.cuda..")
            .allowEmptyShould(true);

    private ArchitectureRules() {
    }
}
