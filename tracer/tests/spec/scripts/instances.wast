;; What the specification's own scripts lack: several instances that write one memory in turn within one call.

(module $Owner
  (memory (export "memory") 1 3)
  (func (export "put") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))))
(register "owner" $Owner)

(module $Guest
  (import "owner" "memory" (memory 1))
  (import "owner" "put" (func $put (param i32 i32)))
  (import "owner" "grow" (func $grow (result i32)))
  (data (i32.const 8) "guest")
  (func (export "in-turn") (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (call $put (i32.const 0) (i32.const 2))
    (call $put (i32.const 1) (i32.const 3))
    (i32.store8 (i32.const 1) (i32.const 4))
    (i32.load16_u (i32.const 0)))
  (func (export "grow-in-turn") (result i32)
    (drop (call $grow))
    (i32.store (i32.const 0x10000) (i32.const 5))
    (memory.grow (i32.const 1))
    (drop (call $grow)))
  (func (export "trap-in-turn")
    (i32.store8 (i32.const 2) (i32.const 6))
    (call $put (i32.const 2) (i32.const 7))
    (i32.store8 (i32.const 3) (i32.const 8))
    (call $put (i32.const -1) (i32.const 9))))
(assert_return (invoke $Guest "in-turn") (i32.const 0x402))
(assert_return (invoke $Guest "grow-in-turn") (i32.const 2))
(assert_trap (invoke $Guest "trap-in-turn") "out of bounds memory access")
(assert_return (invoke $Owner "put" (i32.const 4) (i32.const 10)))

;; Instances that could not be made: what they wrote before stays, and so do their functions in shared tables.
(module $Table
  (table (export "table") 4 funcref)
  (type $put (func (param i32)))
  (func (export "call") (param i32 i32) (call_indirect (type $put) (local.get 1) (local.get 0))))
(register "table" $Table)
(assert_trap
  (module
    (import "owner" "memory" (memory 1))
    (data (i32.const 16) "stays")
    (data (i32.const 0x2ffff) "too far"))
  "out of bounds memory access")
(assert_trap
  (module
    (import "owner" "memory" (memory 1))
    (import "table" "table" (table 4 funcref))
    (func $put (param i32) (i32.store8 (i32.const 24) (local.get 0)))
    (elem (i32.const 0) $put)
    (func $start (i32.store8 (i32.const 25) (i32.const 11)) unreachable)
    (start $start))
  "unreachable")
(assert_return (invoke $Table "call" (i32.const 0) (i32.const 12)))
(assert_return (invoke $Owner "put" (i32.const 26) (i32.const 13)))

;; The same memory twice, under two indices.
(module
  (import "owner" "memory" (memory $a 1))
  (import "owner" "memory" (memory $b 1))
  (global (import "spectest" "global_i32") i32)
  (data (memory $b) (global.get 0) "global")
  (func (export "both") (result i32)
    (i32.store $a (i32.const 32) (i32.const 0x01020304))
    (i32.store8 $b (i32.const 33) (i32.const 9))
    (memory.copy $a $b (i32.const 36) (i32.const 32) (i32.const 4))
    (drop (memory.grow $b (i32.const 0)))
    (i32.load $a (i32.const 36))))
(assert_return (invoke "both") (i32.const 0x01020904))
