// Strings and arrays cross the border: compiled by AssemblyScript, with its bindings.

export function greet(name: string): string {
  let text = "";
  for (let i = 0; i < 2000; i++) text = "Hello, " + name + i.toString();
  return text;
}

export function sum(list: Float64Array): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < list.length; i++) sum += list[i];
  return sum;
}
