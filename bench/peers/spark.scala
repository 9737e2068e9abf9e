// What a user would write with Spark: spark-submit --class Bench … word-count|sort|ndjson INPUT OUTPUT
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.functions.sum

object Bench {
  def main(arguments: Array[String]): Unit = {
    val Array(work, input, output) = arguments
    val spark = SparkSession.builder.appName("bench").getOrCreate()
    val lines = spark.sparkContext.textFile(input)
    work match {
      case "word-count" =>
        val words = lines.flatMap(_.split(" ")).filter(_.nonEmpty).map((_, 1L))
        words.reduceByKey(_ + _).map { case (word, count) => s"$word\t$count" }.saveAsTextFile(output)
      case "sort" => lines.sortBy(identity).saveAsTextFile(output)
      case "ndjson" =>
        val entries = spark.read.schema("url STRING, bytes BIGINT").json(input)
        entries.groupBy("url").agg(sum("bytes")).write.option("sep", "\t").csv(output)
    }
    spark.stop()
  }
}
