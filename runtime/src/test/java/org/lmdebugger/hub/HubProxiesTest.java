package org.lmdebugger.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubProxiesTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', nullValues = "-", value = {
            "HTTPS_PROXY=http://a:1                               | https://hub.org      | http://a:1",
            "HTTPS_PROXY=http://a:1                               | http://hub.org       | -",
            "HTTP_PROXY=a                                         | http://hub.org       | http://a:80",
            "ALL_PROXY=http://u:p@a:1                             | https://hub.org      | http://a:1",
            "ALL_PROXY=a:1 https_proxy=b:2                        | https://hub.org      | http://b:2",
            "HTTPS_PROXY=a:1 https_proxy=b:2                      | https://hub.org      | http://b:2",
            "HTTPS_PROXY=a:1 NO_PROXY=*                           | https://hub.org      | -",
            "HTTPS_PROXY=a:1 NO_PROXY=org                         | https://hub.org      | -",
            "HTTPS_PROXY=a:1 no_proxy=x.net,HUB.org,              | https://hub.org      | -",
            "HTTPS_PROXY=a:1 no_proxy=.hub.org                    | https://www.hub.org  | -",
            "HTTPS_PROXY=a:1 no_proxy=ub.org                      | https://hub.org      | http://a:1",
            "HTTPS_PROXY=a:1 no_proxy=hub.org:443                 | https://hub.org      | -",
            "HTTPS_PROXY=a:1 no_proxy=hub.org:8443                | https://hub.org      | http://a:1",
            "HTTPS_PROXY=a:1 no_proxy=http://hub.org              | https://hub.org      | http://a:1",
            "HTTP_PROXY=a:1  no_proxy=localhost,127.0.0.1         | http://127.0.0.1:80  | -",
    })
    void areThoseThatHttpxTakes(String variables, URI asked, String expected) {
        var environment = Arrays.stream(variables.split(" +")).map(variable -> variable.split("=", 2))
                .collect(Collectors.toMap(parts -> parts[0], parts -> parts[1]));
        assertThat(new HubProxies(new HubEnvironment(environment))
                .proxy(asked.getScheme(), asked.getHost(), asked.getPort()).map(Object::toString).orElse(null))
                        .isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"socks5://me:secret@a:1", "http://me:secret@", "http://me:sec ret@a", "http://a:b:c"})
    void areRefusedWithoutTheirPassword(String value) {
        assertThatThrownBy(() -> new HubProxies(new HubEnvironment(Map.of("HTTPS_PROXY", value))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageNotContaining("sec")
                .hasMessageMatching("HTTPS_PROXY: .* \\(expected: http://\\[USER:PASSWORD@]HOST\\[:PORT]\\)");
    }
}
