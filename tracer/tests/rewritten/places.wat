;; WAYS: inline+places hooks+places=2
;; A mark before each instruction that can trap, at each loop and around calls: inline a store of its number to a fixed place
;; in the buffer, by hooks a call of site 4, which a counter holds back until so many events are recorded.

(module
  (memory 1)
  (table 1 funcref)
  (func $callee)
  (func (param $p i32) (result i32)
    (loop
      (i32.store (local.get $p) (i32.const 1))
      (call $callee)
      (call_indirect (i32.const 0))
      (br_if 0 (i32.load (local.get $p))))
    (i32.div_u (local.get $p) (i32.const 3))))
