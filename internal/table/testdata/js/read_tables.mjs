// Reads t.arrow and t.arrows with apache-arrow, t.parquet with hyparquet, and
// compares types and values with want.json. Prints "agreed", or what differs.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { DataType, tableFromIPC } from "apache-arrow";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";

const dir = process.argv[2];
const want = JSON.parse(readFileSync(`${dir}/want.json`, "utf8"));
const order = Object.keys(want).sort((a, b) => want[a].index - want[b].index);
const wrong = [];

function check(who, what, got, expected) {
  if (!isDeepStrictEqual(got, expected)) {
    wrong.push(`${who}: ${what}: got ${show(got)}, want ${show(expected)}`);
  }
}

const show = (v) => JSON.stringify(v, (_, x) => (typeof x === "bigint" ? `${x}n` : x));

// stamp writes microseconds since 1970 as collect's tests do.
function stamp(micros, zoned) {
  const rest = ((micros % 1000000n) + 1000000n) % 1000000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, 19);
  const fraction = rest ? "." + String(rest).padStart(6, "0").replace(/0+$/, "") : "";
  return seconds + fraction + (zoned ? "Z" : "");
}

const day = (days) => new Date(days * 86400000).toISOString().slice(0, 10);

function float(v) {
  if (Number.isNaN(v)) return "float NaN";
  if (!Number.isFinite(v)) return v > 0 ? "float Infinity" : "float -Infinity";
  return "float " + (Number.isInteger(v) ? v.toFixed(1) : String(v));
}

// decimal writes an unscaled 128 bit integer in four words.
function decimal(words, scale) {
  let v = 0n;
  for (let i = 3; i >= 0; i--) v = (v << 32n) | BigInt(words[i]);
  v = BigInt.asIntN(128, v);
  const sign = v < 0n ? "-" : "";
  const digits = String(v < 0n ? -v : v).padStart(scale + 1, "0");
  const at = digits.length - scale;
  return "number " + sign + digits.slice(0, at) + (scale ? "." + digits.slice(at) : "");
}

function kind(field) {
  const t = field.type;
  if (DataType.isNull(t)) return "null";
  if (DataType.isBool(t)) return "bool";
  if (DataType.isInt(t) && t.bitWidth === 64) return "int";
  if (DataType.isFloat(t)) return "float";
  if (DataType.isDate(t)) return "date";
  if (DataType.isTimestamp(t)) return t.timezone ? "time" : "local time";
  if (DataType.isDecimal(t)) return "decimal";
  if (DataType.isUtf8(t)) return field.metadata.get("encoding") === "json" ? "json" : "string";
  if (DataType.isList(t)) return "list of " + kind(t.children[0]);
  if (DataType.isStruct(t)) return "struct of " + t.children.map((f) => `${f.name} ${kind(f)}`).join(", ");
  return String(t);
}

// inner is a value inside a list or struct.
function inner(v) {
  if (v === null || v === undefined) return null;
  if (typeof v === "bigint") return Number(v);
  if (typeof v !== "object") return v;
  if (typeof v.toJSON === "function") v = v.toJSON();
  if (Array.isArray(v)) return v.map(inner);
  return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, inner(e)]));
}

function arrowValue(column, field, i) {
  const v = column.get(i);
  if (v === null) return null;
  const raw = () => column.data[0].values;
  switch (kind(field)) {
    case "int": return `number ${v}`;
    case "float": return float(v);
    case "decimal": return decimal(raw().subarray(4 * i, 4 * i + 4), field.type.scale);
    case "date": return day(raw()[i]);
    case "time": case "local time": return stamp(raw()[i], field.type.timezone);
  }
  return inner(v);
}

for (const file of ["t.arrow", "t.arrows"]) {
  const table = tableFromIPC(readFileSync(`${dir}/${file}`));
  check(file, "names", table.schema.names, order);
  for (const field of table.schema.fields) {
    const column = table.getChild(field.name);
    check(file, `type of ${field.name}`, kind(field), want[field.name].type);
    check(file, `${field.name} may be null`, field.nullable, true);
    check(file, `values of ${field.name}`, Array.from({ length: table.numRows }, (_, i) => arrowValue(column, field, i)), want[field.name].values);
  }
  const unit = Object.fromEntries(table.schema.fields.find((f) => f.name === "Größe 大小").metadata);
  check(file, "metadata", unit, { role: "scrap", unit: "€", direction: "maximize" });
}

const bytes = readFileSync(`${dir}/t.parquet`);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const file = { byteLength: buffer.byteLength, slice: (start, end) => buffer.slice(start, end) };

// JavaScript's Date ends at milliseconds: take what the file says.
const rows = await parquetReadObjects({
  file, compressors, parsers: { timestampFromMicroseconds: (v) => v, dateFromDays: (v) => v },
});
check("hyparquet", "names", Object.keys(rows[0]), order);

function parquetValue(v, type) {
  if (v === null || v === undefined) return null;
  switch (type) {
    case "int": return `number ${v}`;
    case "float": return float(v);
    case "decimal": return Number(v); // hyparquet's decimals are doubles
    case "date": return day(v);
    case "time": case "local time": return stamp(BigInt(v), type === "time");
  }
  return inner(v);
}

// unfold is the value as hyparquet gives it: JSON read, decimals as doubles.
function unfold(v, type) {
  if (v === null) return null;
  if (type === "decimal") return Number(v.slice("number ".length));
  if (type === "json") return JSON.parse(v);
  if (type.startsWith("struct of odd json")) return { ...v, odd: v.odd === null ? null : JSON.parse(v.odd) };
  return v;
}

for (const name of order) {
  const { type, values } = want[name];
  check("hyparquet", `values of ${name}`, rows.map((r) => parquetValue(r[name], type)), values.map((v) => unfold(v, type)));
}

const logical = {
  string: "STRING", int: "INTEGER", date: "DATE", time: "TIMESTAMP", "local time": "TIMESTAMP", decimal: "DECIMAL", json: "JSON", null: "NULL",
};
const schema = parquetMetadata(buffer).schema;
for (const name of order) {
  const { type } = want[name];
  const leaf = schema.find((s) => s.name === name); // the outermost comes first
  check("hyparquet", `logical type of ${name}`, leaf.logical_type?.type, type.startsWith("list") ? "LIST" : logical[type]);
  check("hyparquet", `${name} may be null`, leaf.repetition_type, "OPTIONAL");
  if (logical[type] === "TIMESTAMP") check("hyparquet", `zone of ${name}`, leaf.logical_type.isAdjustedToUTC, type === "time");
}

console.log(wrong.length ? wrong.join("\n") : "agreed");
