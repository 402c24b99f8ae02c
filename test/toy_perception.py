"""Published perception models at toy size: the real classes of transformers with random weights."""

from pathlib import Path

import torch
from transformers import (
    BertConfig,
    DFineConfig,
    DFineForObjectDetection,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    HGNetV2Config,
    RTDetrResNetConfig,
    RTDetrV2Config,
    RTDetrV2ForObjectDetection,
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VisionConfig,
    SwinConfig,
)
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

from hoigen.models.vggt.config import DenseConfig, TrackConfig, VGGTConfig

SIZE = 128

TOY_VGGT = VGGTConfig(
    'toy',
    28,
    14,
    16,
    6,
    2,
    1,
    2,
    4,
    (1, 2, 3, 5),
    1,
    2,
    2,
    DenseConfig(8, (4, 4, 4, 4)),
    True,
    TrackConfig(DenseConfig(8, (4, 4, 4, 4)), 2, 2, 1, 16, 1, 2, 4, 2),
)


def toy_sam(seed: int = 0) -> Sam2VideoModel:
    """SAM 2.1 with a Hiera of five blocks, for pictures of 128x128."""
    hiera = Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        blocks_per_stage=[1, 2, 1, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1] * 4,
        window_size_per_stage=[4] * 4,
        global_attention_blocks=[2],
        image_size=[SIZE, SIZE],
    )
    vision = Sam2VisionConfig(
        backbone_config=hiera.to_dict(),
        backbone_channel_list=[64, 32, 16, 8],
        fpn_hidden_size=128,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )
    config = Sam2VideoConfig(
        vision_config=vision.to_dict(),
        image_size=SIZE,
        prompt_encoder_config={'hidden_size': 128, 'image_size': SIZE, 'patch_size': 16, 'mask_input_channels': 4},
        mask_decoder_config={'hidden_size': 128, 'mlp_dim': 32, 'num_attention_heads': 2, 'iou_head_hidden_dim': 32},
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )
    torch.manual_seed(seed)
    return Sam2VideoModel(config).eval()


def write_detector(kind: str, folder: Path) -> None:
    """A detector's folder as it is on the hub: rtdetr, dfine (COCO's first labels only) or grounding-dino."""
    torch.manual_seed(0)
    if kind == 'grounding-dino':
        _write_text_detector(folder)
        return
    widths = {'embedding_size': 8, 'hidden_sizes': [8, 16, 16, 16], 'out_features': ['stage2', 'stage3', 'stage4']}
    shape = {
        'encoder_hidden_dim': 16,
        'encoder_in_channels': [16] * 3,
        'encoder_ffn_dim': 16,
        'd_model': 16,
        'encoder_attention_heads': 2,
        'num_queries': 10,
        'decoder_in_channels': [16] * 3,
        'decoder_ffn_dim': 16,
        'decoder_attention_heads': 2,
        'decoder_layers': 2,
        'num_denoising': 0,
        'id2label': {0: 'person', 1: 'cup', 2: 'giraffe'},
    }
    if kind == 'rtdetr':
        backbone = RTDetrResNetConfig(depths=[1] * 4, layer_type='basic', **widths)
        RTDetrV2ForObjectDetection(RTDetrV2Config(backbone_config=backbone, **shape)).save_pretrained(folder)
    else:
        hgnet = HGNetV2Config(
            stem_channels=[3, 4, 8],
            stage_in_channels=[8, 8, 16, 16],
            stage_num_blocks=[1] * 4,
            stage_mid_channels=[4, 4, 8, 8],
            stage_out_channels=[8, 16, 16, 16],
            stage_numb_of_layers=[1] * 4,
            **widths,
        )
        DFineForObjectDetection(DFineConfig(backbone_config=hgnet, **shape)).save_pretrained(folder)
    RTDetrImageProcessorPil(size={'height': 64, 'width': 64}).save_pretrained(folder)


def _write_text_detector(folder: Path) -> None:
    swin = SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1] * 4,
        num_heads=[1] * 4,
        window_size=4,
        out_features=['stage2', 'stage3', 'stage4'],
    )
    bert = BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    GroundingDinoForObjectDetection(
        GroundingDinoConfig(
            backbone_config=swin.to_dict(),
            text_config=bert.to_dict(),
            num_queries=10,
            encoder_layers=1,
            encoder_ffn_dim=16,
            encoder_attention_heads=2,
            decoder_layers=2,
            decoder_ffn_dim=16,
            decoder_attention_heads=2,
            d_model=32,
            max_text_len=32,
        )
    ).save_pretrained(folder)
    words = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', 'hand', 'object', 'in')
    (folder / 'vocab.txt').write_text('\n'.join(words) + '\n')
    (folder / 'tokenizer_config.json').write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    GroundingDinoImageProcessorPil(size={'shortest_edge': 64, 'longest_edge': 96}).save_pretrained(folder)
