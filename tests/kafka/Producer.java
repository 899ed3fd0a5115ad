// Produces lines `KEY<TAB>VALUE` of standard input, byte for byte, with Kafka's own Java client, as any producer of a city would: nothing is
// set but what has to be, and what is asked for. A line without a tab is a key alone. Prints the partition each key went to.
//
//   java -cp 'JARS/*' Producer.java BROKERS TOPIC [SETTING=VALUE ...] <LINES

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Producer {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        for (int index = 2; index < arguments.length; index++) {
            String[] setting = arguments[index].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        Map<String, Future<RecordMetadata>> sent = new LinkedHashMap<>();
        // Of this encoding each byte is a character, and the same byte again.
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.ISO_8859_1))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] parts = line.split("\t", 2);
                byte[] key = parts[0].getBytes(StandardCharsets.ISO_8859_1);
                byte[] value = parts.length > 1 ? parts[1].getBytes(StandardCharsets.ISO_8859_1) : null;
                sent.put(new String(key, StandardCharsets.UTF_8), producer.send(new ProducerRecord<>(arguments[1], key, value)));
            }
        }
        for (Map.Entry<String, Future<RecordMetadata>> one : sent.entrySet()) {
            System.out.println(one.getKey() + "\t" + one.getValue().get().partition());
        }
    }
}
