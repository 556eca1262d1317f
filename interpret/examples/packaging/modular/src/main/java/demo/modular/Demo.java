package demo.modular;

import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.util.Set;
import org.lmdebugger.app.server.Server;
import org.lmdebugger.app.server.ServerOptions;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;

/** Prints the names of the library's modules, the length of a prompt, and what a server in this process says of its model. */
public class Demo {
    public static void main(String... args) throws Exception {
        var folder = Files.createTempDirectory("demo");
        var options = new ServerOptions("127.0.0.1", 0, Set.of(), null, folder, folder);
        try (var device = Devices.open();
                var model = Gpt2.load(ModelSource.of("sample"), device);
                var run = new Debugger(model).run("Once upon a time");
                var server = new Server(new Debugger(model), options, link -> {});
                var client = HttpClient.newHttpClient()) {
            System.out.println(Debugger.class.getModule().getName() + ": " + run.length() + " tokens");
            var request = HttpRequest.newBuilder(server.address().resolve("/api/v1/model")).build();
            System.out.println(Server.class.getModule().getName() + ": "
                    + client.send(request, BodyHandlers.ofString()).body());
        }
    }
}
