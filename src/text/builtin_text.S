// The bytes of ASSAY_EVALUATION_TEXT as read-only data; see builtin_text.h.
    .section .rodata
    .global assay_builtin_text_begin
    .global assay_builtin_text_end
    .type assay_builtin_text_begin, @object
    .type assay_builtin_text_end, @object
assay_builtin_text_begin:
    .incbin ASSAY_EVALUATION_TEXT
assay_builtin_text_end:
    .byte 0
    .size assay_builtin_text_begin, assay_builtin_text_end - assay_builtin_text_begin
    .size assay_builtin_text_end, 1
    .section .note.GNU-stack, "", @progbits
