;; WAYS: inline hooks
;; The bytes are in the module, so only the places are recorded. A dropped segment makes a later `memory.init` trap: the drop
;; is an event, too, without operands and in a segment of its own.

(module
  (memory 1)
  (data $d "data")
  (func (param $p i32)
    (memory.init $d (local.get $p) (i32.const 1) (i32.const 2))
    (data.drop $d)))
