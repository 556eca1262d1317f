package org.lmdebugger.app.server.work;

import java.util.List;
import java.util.Optional;
import org.lmdebugger.checkpoint.ModelFiles;

/** The models that a server's clients may choose among; one is loaded at a time. Thread-safe. */
public interface ModelChoice {
    /** No choice. */
    ModelChoice NONE = new ModelChoice() {
        @Override
        public List<ModelFiles> list() {
            return List.of();
        }

        @Override
        public void load(ModelFiles model) {
            throw new IllegalArgumentException("model: there is no choice");
        }

        @Override
        public Optional<String> failure() {
            return Optional.empty();
        }
    };

    /** Returns the models that are found, under names of which each is listed once. */
    List<ModelFiles> list();

    /**
     * Has the process close this server and its model, load another one and start a server of it at the same address.
     * Returns at once. If that one cannot be loaded, the present one is loaded again, and {@link #failure} tells why.
     */
    void load(ModelFiles model);

    /** Returns why the model that was chosen last could not be loaded; empty if it could, or none was chosen. */
    Optional<String> failure();
}
