package org.lmdebugger.app.cli;

import java.util.Map;
import java.util.stream.Collectors;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.interpret.values.cluster.Clusters.Cluster;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "cluster", mixinStandardHelpOptions = true,
        description = "Shows the cluster that a value vector belongs to: its members, those nearest to its middle first, and the tokens "
                + "that they promote together. Clusters are of complete linkage on cosine distance, or of k-means where the matrix of all "
                + "similarities does not fit.")
final class ValuesClusterCommand extends ValuesSubcommand {
    private static final int WIDTH = 80;
    private static final int TOKENS = 30;
    private static final int MEMBERS = 10;

    @Parameters(paramLabel = "VECTOR", description = "A layer and a neuron, L3D42, or a cluster's number.")
    private String vector;

    @Option(names = "--clusters", paramLabel = "N",
            description = "How many clusters there are (default: 3000, or a twelfth of the "
                    + "vectors of a small model).")
    private Integer count;

    @Option(names = "--rebuild", description = "Computes the clusters again, whatever the cache holds.")
    private boolean rebuild;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        boolean number = vector.matches("\\d{1,9}");
        var wanted = number ? null : Neuron.parse(vector);
        return model.with(debugger -> model.cache().with(debugger, opened -> {
            if (!number) {
                opened.vectors().index(wanted); // better now than after the work
            }
            var clusters = BuildBar.get(count == null ? opened.clusters() : opened.clusters(count), rebuild);
            var cluster = clusters.cluster(number ? Integer.parseInt(vector) : clusters.label(wanted), TOKENS);
            var named = names.names(debugger).all();
            var out = spec.commandLine().getOut();
            if (json.isGiven()) {
                out.println(Json.print(ValueJson.VectorCluster.of(clusters, cluster, debugger, named)));
            } else {
                out.print(table(clusters, cluster, debugger, named));
                out.flush();
            }
            return 0;
        }));
    }

    private static String table(Clusters clusters, Cluster cluster, Debugger debugger, Map<Neuron, String> named) {
        var table = new StringBuilder(
                "cluster %d of %,d (%s): %d value vectors, together they promote%n%s%n%n".formatted(cluster.label(),
                        clusters.count(),
                        clusters.method() == Clusters.Method.COMPLETE_LINKAGE ? "complete linkage" : "k-means",
                        cluster.members().size(), Text.wrap(
                                cluster.tokens().stream().map(token -> Text.visible(token.token())).toList(), WIDTH)));
        table.append("member      promotes").append(System.lineSeparator());
        var members = cluster.members().stream().limit(MEMBERS).toList();
        var tokens = TopTokens.of(debugger, members, TopTokens.DEFAULT_COUNT);
        for (var member : members) {
            var said = tokens.get(member).stream().map(token -> Text.visible(token.token()))
                    .collect(Collectors.joining(" "));
            table.append(
                    Text.fit("%s  %s".formatted(Text.fit(member.toString(), 10), Text.named(named.get(member), said)),
                            WIDTH).stripTrailing())
                    .append(System.lineSeparator());
        }
        int more = cluster.members().size() - members.size();
        return more == 0 ? table.toString() : table.append("and %,d more%n".formatted(more)).toString();
    }
}
