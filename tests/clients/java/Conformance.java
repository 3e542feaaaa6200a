// java -cp JARS Conformance.java CASES: asks what a file of cases holds, through Jedis, and prints the replies as JSON
// lines: {"client", "how", "replies"}. A byte string is {"b": base64}, an error {"error": its first word}.

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPooled;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.util.KeyValue;

public class Conformance {
    static class Task {
        int port;
        String user;
        String password;
        int pipeline;
        int connections;
        String[][] commands;
    }

    static Task task;
    static List<byte[][]> commands = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        task = new Gson().fromJson(Files.readString(Path.of(arguments[0])), Task.class);
        for (String[] words : task.commands)
            commands.add(Arrays.stream(words).map(Base64.getDecoder()::decode).toArray(byte[][]::new));
        oneByOne(RedisProtocol.RESP2);
        oneByOne(RedisProtocol.RESP3);
        pipelined();
        pooled();
    }

    static HostAndPort address() {
        return new HostAndPort("127.0.0.1", task.port);
    }

    static DefaultJedisClientConfig login(RedisProtocol protocol) {
        return DefaultJedisClientConfig.builder().protocol(protocol).user(task.user).password(task.password).build();
    }

    static void oneByOne(RedisProtocol protocol) {
        JsonArray replies = new JsonArray();
        try (Jedis jedis = new Jedis(address(), login(protocol))) {
            for (byte[][] words : commands) replies.add(plain(() -> jedis.sendCommand(name(words), rest(words))));
        }
        tell(protocol.name(), replies);
    }

    static void pipelined() {
        JsonArray replies = new JsonArray();
        try (Jedis jedis = new Jedis(address(), login(RedisProtocol.RESP2))) {
            Pipeline pipeline = jedis.pipelined();
            List<Response<Object>> asked = new ArrayList<>();
            for (int i = 0; i < task.pipeline; ++i) {
                byte[][] words = commands.get(i % commands.size());
                asked.add(pipeline.sendCommand(name(words), rest(words)));
            }
            pipeline.sync();
            for (Response<Object> reply : asked) replies.add(plain(reply::get));
        }
        tell("pipeline", replies);
    }

    static void pooled() throws Exception {
        ConnectionPoolConfig limits = new ConnectionPoolConfig();
        limits.setMaxTotal(task.connections);
        ExecutorService threads = Executors.newFixedThreadPool(task.connections);
        JsonArray replies = new JsonArray();
        try (JedisPooled jedis = new JedisPooled(address(), login(RedisProtocol.RESP2), limits)) {
            List<Future<JsonElement>> asked = new ArrayList<>();
            for (int i = 0; i < task.connections; ++i) {
                byte[][] words = commands.get(i % commands.size());
                asked.add(threads.submit(() -> plain(() -> jedis.sendCommand(name(words), rest(words)))));
            }
            for (Future<JsonElement> reply : asked) replies.add(reply.get());
        } finally {
            threads.shutdown();
        }
        tell("pool", replies);
    }

    static ProtocolCommand name(byte[][] words) {
        return () -> words[0];
    }

    static byte[][] rest(byte[][] words) {
        return Arrays.copyOfRange(words, 1, words.length);
    }

    static void tell(String how, JsonArray replies) {
        JsonObject line = new JsonObject();
        line.addProperty("client", "jedis");
        line.addProperty("how", how);
        line.add("replies", replies);
        System.out.println(line);
    }

    static JsonElement plain(Supplier<Object> ask) {
        try {
            return plain(ask.get());
        } catch (JedisDataException error) {
            return pair("error", error.getMessage().split(" ")[0]);
        }
    }

    static JsonElement plain(Object reply) {
        if (reply == null) return JsonNull.INSTANCE;
        if (reply instanceof byte[] bytes) return pair("b", Base64.getEncoder().encodeToString(bytes));
        if (reply instanceof Number number) return new JsonPrimitive(number);
        if (reply instanceof Boolean truth) return new JsonPrimitive(truth);
        JsonArray elements = new JsonArray();
        for (Object element : (List<?>) reply) {
            if (element instanceof KeyValue<?, ?> both) {  // of a map of RESP3
                elements.add(plain(both.getKey()));
                elements.add(plain(both.getValue()));
            } else {
                elements.add(plain(element));
            }
        }
        return elements;
    }

    static JsonObject pair(String name, String text) {
        JsonObject object = new JsonObject();
        object.addProperty(name, text);
        return object;
    }
}
