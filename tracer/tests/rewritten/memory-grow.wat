;; WAYS: inline hooks inline+bytes=0..64
;; Delta and result are recorded, the result after the instruction; the module still gets it. Where only some bytes are
;; recorded, a memory's size is nevertheless.

(module
  (memory 1)
  (func (param $pages i32) (result i32)
    (memory.grow (local.get $pages))))
