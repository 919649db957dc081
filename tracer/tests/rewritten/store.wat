;; WAYS: inline inline+read-back hooks hooks+read-back
;; The plain case. Inline: the head looks whether the buffer is full and writes the segment's number; then come the address and
;; the value; the cursor moves only after the store, so a record means that it happened. The static offset is in the table of
;; sites and not in the record. By hooks: the same operands as arguments of a call after the store. With read-back the stored
;; bytes are loaded again, and a record of its own says what they are where they differ.

(module
  (memory 1)
  (func $f (param $p i32) (param $v i32)
    (i32.store offset=16 (local.get $p) (local.get $v))))
