//! Names, source lines, text and native code, from well-made modules and from hostile ones.

use forkpoint_replay::{Symbols, disassemble, site_range};
use forkpoint_traces::{CodeOffset, FuncIndex, NativeFunction, NativePoint};

const NAMED: &str = r#"
    (module $m
      (type $binary (func (param i32 i32) (result i32)))
      (import "env" "put" (func (param i32)))
      (import "env" "flag" (global $flag i32))
      (memory (export "memory") 1)
      (memory $second 1)
      (global $sp (mut i32) (i32.const 1024))
      (table 1 funcref)
      (func $_ZN3app5store17h0123456789abcdefE (type $binary) (param $at i32) (param $value i32) (result i32)
        (local $old i64) (local f32)
        (i32.store offset=8 align=2 (local.get $at) (local.get $value))
        (i64.store8 $second (local.get $at) (local.get $old))
        (global.set $sp (i32.sub (global.get $sp) (i32.const 16)))
        (block $out (result i32)
          (if (local.get $value)
            (then (call 0 (local.get $value)))
            (else (br $out (i32.const -1))))
          (loop $again (br_if $again (i32.const 0)))
          (call $_ZN3app5store17h0123456789abcdefE (i32.const 1) (i32.const 2))))
      (func (export "run\1b[31m") (drop (call_indirect (type $binary) (i32.const 1) (i32.const 2) (i32.const 0))))
      (func (f64.store (i32.const 0) (f64.const 1.5))))
"#;

fn symbols(text: &str) -> Symbols {
    Symbols::new(wat::parse_str(text).expect("the test module is well-formed"))
}

fn text_of(symbols: &Symbols, func: u32) -> String {
    let wat = symbols.wat(FuncIndex(func)).expect("the function has a body");
    wat.lines.iter().map(|line| format!("{}\n", line.text)).collect()
}

#[test]
fn functions_are_named_by_the_best_name_there_is() {
    let symbols = symbols(NAMED);
    assert_eq!(symbols.imported_functions(), 1);
    assert_eq!(symbols.functions(), 4);
    assert_eq!(symbols.function_name(FuncIndex(0)), "env.put");
    assert_eq!(symbols.function_name(FuncIndex(1)), "app::store");
    assert_eq!(symbols.function_name(FuncIndex(2)), "run\\u{1b}[31m");
    assert_eq!(symbols.function_name(FuncIndex(3)), "func[3]");
    assert_eq!(symbols.function_name(FuncIndex(u32::MAX)), "func[4294967295]");
}

#[test]
fn offsets_belong_to_the_body_that_holds_them() {
    let symbols = symbols(NAMED);
    assert_eq!(symbols.body(FuncIndex(0)), None);
    for func in 1..4 {
        let body = symbols.body(FuncIndex(func)).expect("defined");
        for offset in body.start.0..body.end.0 {
            assert_eq!(symbols.function_at(CodeOffset(offset)), Some(FuncIndex(func)));
        }
        // Before a body is its size.
        assert_eq!(symbols.function_at(CodeOffset(body.start.0 - 1)), None);
    }
    assert_eq!(symbols.function_at(CodeOffset(0)), None);
    assert_eq!(symbols.function_at(CodeOffset(u32::MAX)), None);
}

#[test]
fn a_function_prints_as_its_text() {
    let symbols = symbols(NAMED);
    let expected = "\
(func $app::store (;1;) (type $binary) (param $at i32) (param $value i32) (result i32)
  (local $old i64) (local f32)
  local.get $at
  local.get $value
  i32.store offset=8 align=2
  local.get $at
  local.get $old
  i64.store8 $second
  global.get $sp
  i32.const 16
  i32.sub
  global.set $sp
  block $out (result i32)
    local.get $value
    if ;; label = @2
      local.get $value
      call $env.put
    else
      i32.const -1
      br $out
    end
    loop $again
      i32.const 0
      br_if $again
    end
    i32.const 1
    i32.const 2
    call $app::store
  end
)
";
    assert_eq!(text_of(&symbols, 1), expected);
    assert!(text_of(&symbols, 2).starts_with("(func $\"run\\\\u{1b}[31m\" (;2;) (type "));
    assert!(text_of(&symbols, 2).contains("call_indirect (type $binary)"));
    assert!(text_of(&symbols, 3).starts_with("(func (;3;) (type "));
    assert_eq!(symbols.wat(FuncIndex(0)), None);
    assert_eq!(symbols.wat(FuncIndex(9)), None);
}

#[test]
fn one_instruction_prints_like_its_line_in_the_function() {
    let symbols = symbols(NAMED);
    for func in 1..4 {
        let wat = symbols.wat(FuncIndex(func)).expect("defined");
        for line in wat.lines {
            let Some(offset) = line.offset else { continue };
            assert_eq!(symbols.function_at(offset), Some(FuncIndex(func)));
            let text = symbols.instruction(offset).expect("an instruction");
            let whole = line.text.trim().split(" ;; label").next().expect("split never is empty").to_owned();
            if text.starts_with("br") {
                assert!(whole.starts_with(text.split(' ').next().expect("a mnemonic")));
            } else if text.starts_with("block") || text.starts_with("loop") {
                assert_eq!(whole.split(' ').next(), text.split(' ').next());
            } else if whole == ")" {
                assert_eq!(text, "end");
            } else {
                assert_eq!(text, whole);
            }
        }
    }
    assert_eq!(symbols.instruction(CodeOffset(0)), None);
}

#[test]
fn a_module_without_names_works() {
    let symbols = symbols(
        "(module (import \"a\" \"b\" (func)) (memory 1) (func (i32.store (i32.const 0) (i32.const 1)) call 0 call 1))",
    );
    assert_eq!(symbols.function_name(FuncIndex(1)), "func[1]");
    assert!(!symbols.has_debug_info());
    let text = text_of(&symbols, 1);
    assert_eq!(text, "(func (;1;) (type 0)\n  i32.const 0\n  i32.const 1\n  i32.store\n  call $a.b\n  call 1\n)\n");
    let body = symbols.body(FuncIndex(1)).expect("defined");
    assert!(symbols.source(body.start).is_empty());
}

#[test]
fn strangers_names_stay_short_and_harmless_wherever_they_are_shown() {
    let long = "x\\u{202e}".repeat(50_000); // an escape of the text format
    let symbols = symbols(&format!(
        "(module (memory 1) (func $\"{long}\" (param $\"{long}\" i32) local.get 0 drop i32.const 1 call 0 local.get 0 drop))"
    ));
    let name = symbols.function_name(FuncIndex(0));
    assert!(name.len() < 2_000 && name.chars().all(|c| c != '\u{202e}'));
    let text = text_of(&symbols, 0);
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
}

#[test]
fn very_large_functions_are_cut_and_say_so() {
    let body = "i32.const 0 i32.const 0 i32.store ".repeat(100_000);
    let symbols = symbols(&format!("(module (memory 1) (func {body}))"));
    let wat = symbols.wat(FuncIndex(0)).expect("defined");
    assert!(wat.lines.len() <= 200_001);
    assert!(wat.lines.last().expect("not empty").text.contains("the function is longer"));
}

#[test]
fn deep_nesting_with_named_labels_stays_linear() {
    let open = "block $same ".repeat(60_000);
    let close = "br $same end ".repeat(60_000);
    let symbols = symbols(&format!("(module (func {open}{close}))"));
    assert!(symbols.wat(FuncIndex(0)).expect("defined").lines.len() > 100_000);
}

/// Asks everything of a module that may be anything.
fn interrogate(bytes: Vec<u8>) {
    let length = bytes.len() as u32;
    let symbols = Symbols::new(bytes);
    for func in (0..symbols.functions().min(20)).chain([u32::MAX]) {
        let func = FuncIndex(func);
        assert!(!symbols.function_name(func).is_empty());
        let _ = symbols.wat(func);
        if let Some(body) = symbols.body(func) {
            for offset in (body.start.0..body.end.0).take(200) {
                let _ = symbols.instruction(CodeOffset(offset));
            }
        }
    }
    for offset in (0..length.min(400)).chain([length, u32::MAX]) {
        let _ = (symbols.function_at(CodeOffset(offset)), symbols.source(CodeOffset(offset)));
    }
}

#[test]
fn truncated_and_damaged_modules_are_survived() {
    let module = wat::parse_str(NAMED).expect("well-formed");
    for end in 0..module.len() {
        interrogate(module[..end].to_vec());
    }
    let mut random = 1u64;
    for at in 0..module.len() {
        for value in [0x00, 0x0b, 0x7f, 0x80, 0xff] {
            let mut damaged = module.clone();
            damaged[at] = value;
            // And one more byte at random: lengths and contents together.
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let other = (random >> 33) as usize % damaged.len();
            damaged[other] = (random >> 20) as u8;
            interrogate(damaged);
        }
    }
    interrogate(Vec::new());
    interrogate(b"\0asm\x01\0\0\0".to_vec());
    interrogate(vec![0xff; 4096]);
}

#[test]
fn a_broken_section_hides_nothing_of_the_others() {
    let mut module = wat::parse_str("(module (memory 1) (func $kept i32.const 1 drop))").expect("well-formed");
    let code = module.windows(3).position(|w| w == [0x41, 0x01, 0x1a]).expect("the body is there");
    module[code + 2] = 0xff; // no instruction
    let symbols = Symbols::new(module);
    assert_eq!(symbols.function_name(FuncIndex(0)), "kept");
    let text = text_of(&symbols, 0);
    assert!(text.contains("i32.const 1\n") && text.contains(";; the text ends here"), "{text}");
}

/// A module of one function with hand-made DWARF 4: a unit and a subprogram `name` over all code, then `dies`
/// as its children (abbreviation 3: an inlined subroutine with children; 4: a subprogram with a list of ranges).
fn hand_made(name: &str, dies: &[u8], ranges: &[u8]) -> Vec<u8> {
    fn section(module: &mut Vec<u8>, name: &str, contents: &[u8]) {
        let mut body = vec![name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(contents);
        module.push(0);
        let mut size = body.len();
        while size >= 0x80 {
            module.push(size as u8 | 0x80);
            size >>= 7;
        }
        module.push(size as u8);
        module.extend_from_slice(&body);
    }
    let mut module = wat::parse_str("(module (memory 1) (func (drop (i32.const 1))))").expect("well-formed");
    let pc = [0x11, 0x01, 0x12, 0x06]; // low_pc: addr, high_pc: data4
    let mut abbrev = vec![1, 0x11, 1];
    abbrev.extend_from_slice(&pc);
    abbrev.extend_from_slice(&[0, 0, 2, 0x2e, 1, 0x03, 0x08]); // name: string
    abbrev.extend_from_slice(&pc);
    abbrev.extend_from_slice(&[0, 0, 3, 0x1d, 1]);
    abbrev.extend_from_slice(&pc);
    abbrev.extend_from_slice(&[0, 0, 4, 0x2e, 0, 0x55, 0x17, 0, 0, 0]); // ranges: sec_offset
    let all = [1, 0, 0, 0, 0xff, 0xff, 0, 0]; // from 1, 0xffff bytes long
    let mut info = vec![4, 0, 0, 0, 0, 0, 4, 1];
    info.extend_from_slice(&all);
    info.push(2);
    info.extend_from_slice(name.as_bytes());
    info.push(0);
    info.extend_from_slice(&all);
    info.extend_from_slice(dies);
    info.extend_from_slice(&[0, 0]);
    let mut unit = (info.len() as u32).to_le_bytes().to_vec();
    unit.extend_from_slice(&info);
    section(&mut module, ".debug_abbrev", &abbrev);
    section(&mut module, ".debug_info", &unit);
    section(&mut module, ".debug_ranges", ranges);
    module
}

/// The last byte of the only function's body.
fn last_byte(symbols: &Symbols) -> CodeOffset {
    CodeOffset(symbols.body(FuncIndex(0)).expect("defined").end.0 - 1)
}

#[test]
fn a_subprogram_names_its_function_safely() {
    let symbols = Symbols::new(hand_made("_ZN3foo3barEi", &[], &[]));
    assert_eq!(symbols.function_name(FuncIndex(0)), "foo::bar(int)");
    let frames = symbols.source(last_byte(&symbols));
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].function.as_deref(), frames[0].line), (Some("foo::bar(int)"), None));
    let symbols = Symbols::new(hand_made("a\x1b[2Jb", &[], &[]));
    assert_eq!(symbols.function_name(FuncIndex(0)), "a\\u{1b}[2Jb");
}

#[test]
fn bottomless_inlining_does_not_overflow_the_stack() {
    let inlined = [3, 1, 0, 0, 0, 0xff, 0xff, 0, 0];
    let some = Symbols::new(hand_made("f", &[inlined.repeat(100), vec![0; 100]].concat(), &[]));
    assert_eq!(some.source(last_byte(&some)).len(), 101);
    let deep = Symbols::new(hand_made("f", &inlined.repeat(500_000), &[]));
    assert!(deep.source(last_byte(&deep)).is_empty());
    assert_eq!(deep.function_name(FuncIndex(0)), "func[0]");
}

#[test]
fn debug_information_that_multiplies_itself_is_given_up() {
    // 20,000 subprograms, each with the same 50,000 ranges: 8 GB of them in half a megabyte.
    let ranges = [[1, 0, 0, 0, 2, 0, 0, 0].repeat(50_000), vec![0; 8]].concat();
    let started = std::time::Instant::now();
    let symbols = Symbols::new(hand_made("f", &[4, 0, 0, 0, 0].repeat(20_000), &ranges));
    assert!(symbols.source(last_byte(&symbols)).is_empty());
    assert!(symbols.source(last_byte(&symbols)).is_empty());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

fn native(code: &[u8], points: &[(u32, Option<u32>, bool)]) -> NativeFunction {
    let point = |&(offset, site, recorder): &(u32, Option<u32>, bool)| NativePoint {
        offset,
        site: site.map(CodeOffset),
        recorder,
    };
    NativeFunction {
        func: FuncIndex(0),
        start: 0x1000,
        code: code.to_vec(),
        points: points.iter().map(point).collect(),
    }
}

#[test]
fn native_code_is_disassembled_with_the_sites_it_belongs_to() {
    // push rbp; mov dword ptr [rdi + rcx + 8], eax; add rdx, 1; (no instruction); mov byte ptr [rdi], al; ret
    let code = [0x55, 0x89, 0x44, 0x0f, 0x08, 0x48, 0x83, 0xc2, 0x01, 0x06, 0x88, 0x07, 0xc3];
    let points = [
        (0, None, false),
        (1, Some(70), false),
        (5, Some(70), true),
        (9, None, false),
        (10, Some(70), false),
        (12, None, false),
    ];
    let lines = disassemble("x86_64-unknown-linux-gnu", &native(&code, &points)).expect("supported");
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "push rbp",
            "mov dword ptr [rdi + rcx + 8], eax",
            "add rdx, 1",
            ".byte 0x06",
            "mov byte ptr [rdi], al",
            "ret"
        ]
    );
    assert_eq!((lines[1].address, lines[5].address), (0x1001, 0x100c));
    assert_eq!(lines.iter().flat_map(|line| line.bytes.clone()).collect::<Vec<u8>>(), code);
    assert_eq!((lines[0].site, lines[2].site, lines[2].recorder), (None, Some(CodeOffset(70)), true));
    let range = site_range(&lines, CodeOffset(70));
    assert_eq!(range.store, [1..2, 4..5]);
    assert!(range.recorder.len() == 1 && range.recorder[0] == (2..3));
    assert_eq!(site_range(&lines, CodeOffset(71)), Default::default());
}

#[test]
fn aarch64_and_what_is_no_code_are_shown() {
    // str w1, [x0, #8]; (no instruction); half of one
    let code = [0x01, 0x08, 0x00, 0xb9, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x03];
    let lines = disassemble("aarch64-apple-darwin", &native(&code, &[])).expect("supported");
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["str w1, [x0, #8]", ".byte 0xff, 0xff, 0xff, 0xff", ".byte 0xc0, 0x03"]);
    let noise: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        let lines = disassemble(target, &native(&noise, &[(9, Some(1), true), (3, None, false)])).expect("supported");
        assert_eq!(lines.iter().flat_map(|line| line.bytes.clone()).collect::<Vec<u8>>(), noise);
    }
    assert!(disassemble("x86_64-unknown-linux-gnu", &native(&[], &[])).expect("supported").is_empty());
}

#[test]
fn other_machines_are_named_in_the_error() {
    let error = disassemble("pulley64", &native(&[0], &[])).expect_err("unsupported").to_string();
    assert!(
        error.contains("pulley64") && error.contains("x86_64 and aarch64") && error.contains("bytecode"),
        "{error}"
    );
    let error = disassemble("s390x\x1b[2J", &native(&[0], &[])).expect_err("unsupported").to_string();
    assert!(error.contains("s390x\\u{1b}[2J"), "{error}");
}
