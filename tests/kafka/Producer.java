// Produces lines `KEY<TAB>VALUE` of standard input with Kafka's own Java client, as any producer of a city would: nothing is set but what
// has to be. Prints the partition each key went to.
//
//   java -cp 'JARS/*' Producer.java BROKERS TOPIC <LINES

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
import org.apache.kafka.common.serialization.StringSerializer;

public class Producer {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        Map<String, Future<RecordMetadata>> sent = new LinkedHashMap<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] parts = line.split("\t", 2);
                sent.put(parts[0], producer.send(new ProducerRecord<>(arguments[1], parts[0], parts[1])));
            }
        }
        for (Map.Entry<String, Future<RecordMetadata>> one : sent.entrySet()) {
            System.out.println(one.getKey() + "\t" + one.getValue().get().partition());
        }
    }
}
