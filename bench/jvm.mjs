// Spark and Hadoop as contestants (contestants.mjs), for `--peers all`: where people go when one machine is not enough.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { findOnPath, orderOf, output, peer } from "./contestants.mjs";
import { ownFolder, work } from "./data.mjs";

/**
 * Spark on the JVM with two threads: the program of peers/spark.scala, compiled with the compiler that Spark brings.
 */
export function spark(job, input) {
  const name = "spark";
  const home = homeOf("SPARK_HOME", "spark-submit");
  if (home === undefined) return { name, absent: "not installed (no SPARK_HOME, no spark-submit on the PATH)" };
  const jars = join(home, "jars");
  const source = peer("spark.scala");
  const hash = createHash("sha256").update(readFileSync(source)).update(home).digest("hex");
  const jar = join(work, `spark-${hash.slice(0, 12)}.jar`);
  if (!existsSync(jar)) {
    const compiler = ["-cp", join(jars, "*"), "scala.tools.nsc.Main", "-usejavacp", "-d", jar, source];
    const java = findOnPath("java");
    if (java === undefined) return { name, absent: "no java on the PATH" };
    const compiled = spawnSync(java, compiler, { encoding: "utf8" });
    if (compiled.status !== 0) return { name, absent: `can't compile spark.scala: ${compiled.stderr?.split("\n")[0]}` };
  }
  const settings = ["--master", "local[2]", "--driver-memory", "4g", "--conf", "spark.ui.enabled=false"];
  return {
    name,
    command: join(home, "bin/spark-submit"),
    args: [...settings, "--class", "Bench", jar, job, input, output(name)],
    env: { SPARK_HOME: home, SPARK_LOCAL_DIRS: ownFolder },
    output: output(name),
    order: orderOf(job),
  };
}

/** Hadoop's own example programs (word count with a combiner, TeraSort), run locally with two map tasks at once. */
export function hadoop(job, input) {
  const name = "hadoop";
  const home = homeOf("HADOOP_HOME", "hadoop");
  if (home === undefined) return { name, absent: "not installed (no HADOOP_HOME, no hadoop on the PATH)" };
  const folder = join(home, "share/hadoop/mapreduce");
  const examples = namesIn(folder).find((file) => /^hadoop-mapreduce-examples-[\d.]+\.jar$/.test(file));
  if (examples === undefined) return { name, absent: `no hadoop-mapreduce-examples in ${folder}` };
  const settings = ["fs.defaultFS=file:///", "mapreduce.framework.name=local", "mapreduce.local.map.tasks.maximum=2"];
  const words = [job === "sort" ? "terasort" : "wordcount", ...settings.flatMap((one) => ["-D", one])];
  return {
    name,
    command: join(home, "bin/hadoop"),
    args: ["jar", join(folder, examples), ...words, input, output(name)],
    env: { HADOOP_HOME: home },
    output: output(name),
    order: orderOf(job),
  };
}

/** What the variable says, or the folder above the one with this command. */
function homeOf(variable, command) {
  if (process.env[variable] !== undefined) return process.env[variable];
  const found = findOnPath(command);
  return found === undefined ? undefined : dirname(dirname(realpathSync(found)));
}

function namesIn(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}
