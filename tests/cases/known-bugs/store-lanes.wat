;; wasmi before 0.44.1 has one instruction too few for store lanes: with a static offset above 255, every lane but an
;; i8x16 one is written as if it were an i8x16 one. The operands are right, one byte arrives, and it may be another
;; lane's. Neither a trap nor a result tells.
(module
  (memory (export "memory") 1)

  (func $vector (result v128)
    v128.const i8x16 0x40 0x41 0x42 0x43 0x44 0x45 0x46 0x47 0x48 0x49 0x4a 0x4b 0x4c 0x4d 0x4e 0x4f)

  (func (export "lane16") (param $at i32)
    (i32.store8 (local.get $at) (i32.const 1))
    (v128.store16_lane offset=300 3 (local.get $at) (call $vector)))

  (func (export "lane32") (param $at i32)
    (i32.store8 (local.get $at) (i32.const 1))
    (v128.store32_lane offset=1000 2 (local.get $at) (call $vector)))

  (func (export "lane64") (param $at i32)
    (i32.store8 (local.get $at) (i32.const 1))
    (v128.store64_lane offset=4096 1 (local.get $at) (call $vector)))

  ;; Right everywhere: the offset is small.
  (func (export "near") (param $at i32)
    (i32.store8 (local.get $at) (i32.const 1))
    (v128.store32_lane offset=200 2 (local.get $at) (call $vector)))

  ;; The wrong bytes travel on before anybody looks.
  (func (export "copied") (param $at i32)
    (i32.store (i32.add (local.get $at) (i32.const 1000)) (i32.const -1))
    (v128.store32_lane offset=1000 2 (local.get $at) (call $vector))
    (memory.copy (local.get $at) (i32.add (local.get $at) (i32.const 1000)) (i32.const 8))
    (i64.store offset=64 (local.get $at) (i64.load (local.get $at)))))
